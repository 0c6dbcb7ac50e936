#!/usr/bin/env bash
# Builds the package of an app: its files and the packages of its requirements.txt.
#
#   bash docs/setup/azure/package.sh delete_sync delete_sync.zip
#
# It needs the Python version that the app has in Azure, on Linux for x86-64, because the packages
# contain compiled code. If that is not python3.13, set PYTHON to it. Only wheels are installed, so
# nothing is built from source.
set -euo pipefail

if [ $# -ne 2 ]; then
  echo "Usage: bash $0 FOLDER_OF_THE_APP PACKAGE.zip" >&2
  exit 2
fi
python=${PYTHON:-python3.13}
package=$(realpath "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/../../../$1"
if ! machine=$("$python" -c 'import platform as it; print(it.system(), it.machine())'); then
  echo "package.sh: '$python' does not run: set PYTHON to the Python version of the app." >&2
  exit 1
elif [ "$machine" != "Linux x86_64" ]; then
  echo "package.sh: Azure cannot run packages for $machine: run this on Linux for x86-64." >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
content=$work/content
mkdir "$content"
# The files that git knows or would add, without those that .funcignore names.
git ls-files -z --cached --others --exclude-standard | sort -z > "$work/files"
git ls-files -z --cached --others --ignored --exclude-from="$PWD/.funcignore" |
  sort -z > "$work/ignored"
comm -z -23 "$work/files" "$work/ignored" | xargs -0 cp --parents --target-directory "$content"
rm -f "$content/.funcignore"

"$python" -m pip --disable-pip-version-check install --quiet --no-compile --only-binary :all: \
  --requirement requirements.txt --target "$content/.python_packages/lib/site-packages"
# The app's folder is read-only in Azure: without these files, each start compiles all modules.
# Their own dates do not survive a zip file, so Python must not compare them.
"$python" -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$content" "$content"

rm -f "$package"
(cd "$content" && "$python" -m zipfile -c "$package" .)
echo "package.sh: made $package for $("$python" --version)"
