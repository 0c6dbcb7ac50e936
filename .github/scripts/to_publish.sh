#!/usr/bin/env bash
# Prints the apps that have to be published, as a JSON list.
#
# The tag published/<app> is the commit that was published last. An app is published if it differs
# from that, or if there is no such tag. The reader comes before the writer: delete_sync first.
# FORCE=true, for a run by hand, takes both apps.
set -euo pipefail

# What is in a package, besides the app's own folder.
also=(docs/setup/azure/package.sh .github/workflows/publish.yml)  # the second has Python's version
apps=()
for app in delete_sync salesforce_client; do
  tag=refs/tags/published/$app
  if [ "${FORCE:-false}" != true ] && git rev-parse --quiet --verify "$tag^{commit}" > /dev/null
  then
    # A newer run was quicker and has published a commit that contains this one.
    if git merge-base --is-ancestor HEAD "$tag"; then continue; fi
    if git diff --quiet "$tag" HEAD -- "$app" "${also[@]}"; then continue; fi
  fi
  apps+=("\"$app\"")
done
IFS=,
echo "[${apps[*]}]"
