#!/usr/bin/env bash
# Make the app's own virtual environment, .venv inside the app folder, where `func start` and the Functions worker look for it.
#   bash scripts/setup_venv.sh            with python3
#   PYTHON=python3.12 bash scripts/setup_venv.sh
set -euo pipefail

app="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
python="${PYTHON:-python3}"

if ! command -v "$python" >/dev/null 2>&1; then
    echo "setup_venv: '$python' is not on PATH; install Python 3.9 to 3.13 or name one: PYTHON=python3.12 bash scripts/setup_venv.sh" >&2
    exit 1
fi
version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
case "$version" in
    3.9 | 3.10 | 3.11 | 3.12 | 3.13) ;;
    *)
        echo "setup_venv: Python $version is not supported by this app (3.9 to 3.13); name another: PYTHON=python3.12 bash scripts/setup_venv.sh" >&2
        exit 1
        ;;
esac

echo "setup_venv: creating .venv with Python $version"
"$python" -m venv --clear "$app/.venv"
"$app/.venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$app/requirements.txt"

cat <<NEXT
setup_venv: done. Next:
  cp local.settings.example.json local.settings.json   # works as it is against the local emulators; edit it for the real ones
  source .venv/bin/activate
  func start
NEXT
