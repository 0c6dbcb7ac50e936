#!/usr/bin/env bash
# Makes the files of a release: both packages, the licences and the list (SBOM) of what is in them.
#
#   bash .github/scripts/release.sh v0.2.0 <folder>
set -euo pipefail

tag=$1 version=${1#v}
mkdir -p "$2"
folder=$(realpath "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=${PYTHON:-python3.13}

fail() {
  echo "release.sh: $*" >&2
  exit 1
}

[ "$tag" = "v$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)" ] ||
  fail "the tag $tag is not the version in pyproject.toml: correct one of them."
awk -v heading="## $version" '/^## /{on = index($0 " ", heading " ") == 1; next} on' CHANGELOG.md \
  > "$folder/notes.md"
[ -s "$folder/notes.md" ] ||
  fail "CHANGELOG.md has no section '## $version': move the entries under Unreleased to it."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet --require-hashes --requirement tests/requirements/release.txt
for app in salesforce_client delete_sync; do
  name=$app-$version
  bash docs/setup/azure/package.sh "$app" "$folder/$name.zip"
  # An environment that has exactly what is in the package.
  "$python" -m venv --without-pip "$work/$app"
  unzip -q "$folder/$name.zip" '.python_packages/*' -d "$work/$app"
  site=$("$work/$app/bin/python" -c 'import sysconfig as it; print(it.get_path("purelib"))')
  echo "$work/$app/.python_packages/lib/site-packages" > "$site/package.pth"
  "$work/tools/bin/pip-licenses" --python "$work/$app/bin/python" --from mixed --with-system \
    --with-urls --with-license-file --no-license-path --format plain-vertical \
    --output-file "$folder/$name-licences.txt"
  "$work/tools/bin/cyclonedx-py" environment "$work/$app/bin/python" --output-reproducible \
    --output-format JSON --output-file "$folder/$name.cdx.json"
done
(cd "$folder" && sha256sum -- *-*.* > SHA256SUMS)
