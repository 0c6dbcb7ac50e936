#!/usr/bin/env bash
# Publishes a package, and waits until Azure lists the functions that are in it.
#
#   bash docs/setup/azure/publish.sh NAME_OF_THE_APP PACKAGE.zip
#
# It uses the login of `az`, and needs the role Website Contributor on the app. `az` has no command
# for this: for Python it always lets Azure build again (az 2.91, enable_zip_deploy_flex).
set -euo pipefail

if [ $# -ne 2 ]; then
  echo "Usage: bash $0 NAME_OF_THE_APP PACKAGE.zip" >&2
  exit 2
fi
app=$1 package=$2
attempts=40 seconds=${PUBLISH_PAUSE:-15}  # ten minutes for each of the three steps
version=api-version=2025-03-01
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

fail() {
  echo "publish.sh: $*" >&2
  exit 1
}

# Without a name, az would list every app.
[ -n "$app" ] || fail "the name of the app is empty: set COLLECTOR_APP and DELETE_SYNC_APP"

# Calls a URL of the app's deployment site, and prints the status. 000: there was no answer.
call() {
  local token
  # Entra ID's name for Azure's management, which the deployment site accepts.
  token=$(az account get-access-token --resource https://management.core.windows.net/ \
    --query accessToken --output tsv) || return 1
  # The token is not an argument, because other users of the machine can read arguments.
  curl --silent --max-time 300 --output "$answer" --write-out '%{http_code}' \
    --header @<(echo "Authorization: Bearer $token") "$@" || true
}

names=$(unzip -Z1 "$package") || fail "$package is no package: make it with package.sh."
functions=$(sed -n 's|^\([^/]*\)/function\.json$|\1|p' <<< "$names")
[ -n "$functions" ] || fail "$package has no function: make it with package.sh."

id=$(az resource list --name "$app" --resource-type Microsoft.Web/sites --query '[0].id' \
  --output tsv)
[ -n "$id" ] || fail "there is no app $app, or this login has no role on it: give it the role" \
  "Website Contributor on the app, or correct the name."
site=$(az rest --method GET --url "$id?$version" --output tsv --query \
  "[properties.hostNameSslStates[?hostType=='Repository'].name | [0],
    properties.functionAppConfig.runtime.version]")
read -r host python <<< "$(tr '\n' ' ' <<< "$site")"
if wrong=$(grep -oE 'cpython-3[0-9]+' <<< "$names" | grep -vx "cpython-${python/./}"); then
  fail "$package has compiled code for ${wrong%%$'\n'*}, and $app runs Python $python:" \
    "make the package with PYTHON=python$python."
fi

# For some minutes, a new app answers 503, a new role is refused, and another publish may run.
# Without an answer of the app itself, the package of this attempt may have arrived.
result="Nothing was published."
for ((attempt = 1; ; attempt++)); do
  status=$(call --request POST --header "Content-Type: application/zip" \
    --data-binary "@$package" "https://$host/api/publish?RemoteBuild=false&Deployer=publish.sh") ||
    fail "az has no token for $host. $result"
  case $status in
    000 | 408 | 5*)
      result="It is not known whether the package was published, so $app may run either version:"
      result+=" publish again, or publish the version before."
      ;;
  esac
  case $status in
    200 | 202) break ;;
    000 | 401 | 403 | 404 | 408 | 409 | 429 | 5*) ;;
    *) attempt=$attempts ;;
  esac
  [ "$attempt" -lt "$attempts" ] ||
    fail "$app did not accept the package: $host answered $status. $result" \
      "The answer: $(head -c 500 "$answer")"
  echo "publish.sh: $host answered $status; trying again in $seconds s"
  sleep "$seconds"
done

if [ "$status" = 202 ]; then
  deployment=$(tr -d '"[:space:]' < "$answer")
  for ((attempt = 1; ; attempt++)); do
    state=""
    if [ "$(call "https://$host/api/deployments/$deployment")" = 200 ]; then
      state=$(grep -oE '"status": *-?[0-9]+' "$answer" | grep -oE -e '-?[0-9]+$') || true
    fi
    case $state in
      4) break ;;                                # done
      -1 | 3 | 5 | 6) attempt=$attempts ;;       # conflict, failed, cancelled, done in part
    esac
    [ "$attempt" -lt "$attempts" ] ||
      fail "$app has not taken the package over: deployment $deployment has status" \
        "${state:-unknown}. $app may run the version before: see the deployment's log in the" \
        "Azure portal, and publish again."
    sleep "$seconds"
  done
fi

# The package can be there and the function not loaded. Then its timer never fires.
for ((attempt = 1; ; attempt++)); do
  az rest --method POST --url "$id/host/default/sync?$version" > "$answer" 2>&1 &&
    listed=$(az rest --method GET --url "$id/functions?$version" --query 'value[].name' \
      --output tsv 2> "$answer") || listed=""
  missing=$(grep -vxF -f <(sed "s|^$app/||" <<< "$listed") <<< "$functions") || break
  [ "$attempt" -lt "$attempts" ] ||
    fail "$app has the package, but Azure does not list ${missing//$'\n'/, }: it does not run." \
      "Read the app's log stream in the Azure portal, and publish again." \
      "The last answer: $(head -c 500 "$answer")"
  sleep "$seconds"
done
echo "publish.sh: $app runs ${functions//$'\n'/, }"
