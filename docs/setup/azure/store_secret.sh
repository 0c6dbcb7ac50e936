#!/usr/bin/env bash
# Stores a secret in a Key Vault without printing it, lets the app read it, and shows the result.
# Arguments: the vault, the name of the secret, a file, the resource id of the app.
set -euo pipefail

if [ $# -ne 4 ]; then
    echo "store_secret: expected a vault, the name of the secret, a file and the app's id" >&2
    exit 2
fi
vault=$1 secret=$2 file=$3 app=$4
if [ ! -r "$file" ]; then
    echo "store_secret: file $file cannot be read; nothing was stored. Check the path" >&2
    exit 1
fi

# A new role needs some minutes until it works.
tries=20
until az keyvault secret set --vault-name "$vault" --name "$secret" --file "$file" --output none; do
    tries=$((tries - 1))
    if [ "$tries" = 0 ]; then
        echo "store_secret: vault $vault refuses the secret $secret; the app cannot log in." \
            "Assign the role Key Vault Secrets Officer on the vault, and run this again" >&2
        exit 1
    fi
    sleep 30
done

# Without this, the app may read the vault only after a day.
references="https://management.azure.com$app/config/configreferences/appsettings"
version="api-version=2022-03-01"
az rest --method post --url "$references/refresh?$version" --output none
az rest --method get --url "$references?$version" --output table \
    --query "value[].{setting: name, status: properties.status, details: properties.details}"
