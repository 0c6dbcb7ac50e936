#!/usr/bin/env bash
# Create the virtual environment of this app: .venv inside the app folder.
# `func start` and the Functions worker look for it there.
#   bash scripts/setup_venv.sh                        with python3
#   PYTHON=python3.12 bash scripts/setup_venv.sh      with another Python
set -euo pipefail

app="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
python="${PYTHON:-python3}"
example="PYTHON=python3.12 bash scripts/setup_venv.sh"

if ! command -v "$python" >/dev/null 2>&1; then
    echo "setup_venv: '$python' is not on PATH;" \
        "install Python 3.9 to 3.13 or name one: $example" >&2
    exit 1
fi
version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
case "$version" in
    3.9 | 3.10 | 3.11 | 3.12 | 3.13) ;;
    *)
        echo "setup_venv: Python $version is not supported by this app (3.9 to 3.13);" \
            "name another Python: $example" >&2
        exit 1
        ;;
esac

echo "setup_venv: creating .venv with Python $version"
"$python" -m venv --clear "$app/.venv"
"$app/.venv/bin/python" -m pip install \
    --quiet --disable-pip-version-check -r "$app/requirements.txt"

cat <<NEXT
setup_venv: done. Next:
  # The settings work unchanged with the local emulators. Edit them for the real services.
  cp local.settings.example.json local.settings.json
  source .venv/bin/activate
  func start  # without func: python3 ../tests/launch.py $(basename "$app")
NEXT
