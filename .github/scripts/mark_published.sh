#!/usr/bin/env bash
# Moves the tag published/<app> to the commit that was published, with GitHub's command gh.
#
#   GH_TOKEN=… bash .github/scripts/mark_published.sh <owner/repository> <app> <commit>
set -euo pipefail

refs=repos/$1/git/refs tag=tags/published/$2 commit=$3
gh api --silent --method PATCH "$refs/$tag" -f sha="$commit" -F force=true ||
  gh api --silent --method POST "$refs" -f ref="refs/$tag" -f sha="$commit"
echo "mark_published.sh: $tag is $commit"
