#!/usr/bin/env bash
# Decides which apps the commit HEAD has to publish, and notes what was published.
#
#   GH_TOKEN=… bash .github/scripts/published.sh apps        prints apps=["delete_sync"]
#   GH_TOKEN=… bash .github/scripts/published.sh begin APP   prints publish=true, after noting it
#   GH_TOKEN=… bash .github/scripts/published.sh end APP     notes that this publish succeeded
#
# The tag published/APP is the commit that was published last. While the tag publishing/APP exists,
# a publish has begun and has not succeeded, so nobody knows which commit is live.
# A run can be late, or run again. So nothing is published if what is live has the same files as
# HEAD or a later commit of main. FORCE=true, for a run by hand, publishes HEAD again.
# The reader of event files comes before their writer: delete_sync first.
set -euo pipefail

# What is in a package, besides the app's own folder.
also=(docs/setup/azure/package.sh .github/workflows/publish.yml)  # the second has Python's version
main=refs/remotes/origin/main

fail() {
  echo "published.sh: $*" >&2
  exit 1
}

# Git with the rights of GH_TOKEN.
git() {
  command git -c credential.helper='!gh auth git-credential' "$@"
}

# actions/checkout sets origin/main to the commit of the run, even if main has moved.
fetch() {
  git fetch --quiet --prune origin "+refs/heads/main:$main" \
    '+refs/tags/published/*:refs/tags/published/*' \
    '+refs/tags/publishing/*:refs/tags/publishing/*'
}

# What a package of this app is made from at a commit.
files() {
  git ls-tree "$2" -- "$1" "${also[@]}"
}

# Sets the variable publish to true or false.
decide() {
  local app=$1 tag=refs/tags/published/$1 commits live there commit known=true
  publish=true
  git merge-base --is-ancestor HEAD "$main" ||
    fail "$app is not published: this commit is not on main. Publish a commit of main."
  git show-ref --quiet --verify "$tag" || return 0
  commits=$(git rev-list --reverse --ancestry-path "HEAD..$main")
  if [ "${FORCE:-false}" = true ] || git show-ref --quiet --verify "refs/tags/publishing/$app"; then
    known=false
  else
    commits="HEAD $commits"
  fi
  live=$(files "$app" "$tag")
  for commit in $commits; do
    there=$(files "$app" "$commit")
    [ "$there" = "$live" ] || continue
    [ $known = true ] ||
      fail "$app is not published: $commit, a later commit of main, has the files that were" \
        "published last. Start this workflow by hand: it publishes the newest commit."
    publish=false
    echo "published.sh: $app is not published: what is live has the files of $commit" >&2
    return 0
  done
}

case $1 in
  apps)
    apps=()
    fetch
    for app in delete_sync salesforce_client; do
      decide "$app"
      if [ $publish = true ]; then apps+=("\"$app\""); fi
    done
    IFS=,
    echo "apps=[${apps[*]}]"
    ;;
  begin)
    fetch
    decide "$2"
    if [ $publish = true ]; then
      git push --quiet origin "+HEAD:refs/tags/publishing/$2" ||
        fail "$2 is not published: the tag publishing/$2 cannot be set. GitHub refuses that if a" \
          "later commit of main has other workflows: then the run of the newest commit publishes."
    fi
    echo "publish=$publish"
    ;;
  end)
    git push --quiet --atomic origin "+HEAD:refs/tags/published/$2" ":refs/tags/publishing/$2" ||
      fail "$2 runs this commit, but the tag published/$2 cannot be moved. Run this job again," \
        "or the next run of main publishes again."
    ;;
  *) fail "unknown word $1: use apps, begin or end" ;;
esac
