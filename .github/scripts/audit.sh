#!/usr/bin/env bash
# Fails if one of the packages that Azure runs has a known fault. It asks PyPI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"${PYTHON:-python3}" -m venv "$tools"
"$tools/bin/pip" install --quiet --require-hashes --requirement tests/requirements/release.txt
for group in collector sync; do
  "$tools/bin/pip-audit" --disable-pip --require-hashes --progress-spinner off "$@" \
    --requirement "tests/requirements/$group.txt"
done
