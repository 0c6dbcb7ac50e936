#!/usr/bin/env bash
# Creates with az commands the same as main.bicep, without the identity for GitHub, without a
# Snowflake key and without a network. Fill in the first lines, log in with `az login`, and run it.
# After an error you can run it again.
set -euo pipefail

group=sf-deletes
location=westeurope
prefix=sfdeletes
operator= # object id of the user who operates the apps; empty: the user who is logged in
unique=   # the end of globally unique names; empty: made from the subscription and the group
python=3.13
email=oncall@example.com
alerts_on=false # true turns the alerts on: step 5 of README.md
collector_settings=(
    "POLL_SCHEDULE=0 */30 * * * *"
    "SALESFORCE_LOGIN_URL=https://login.salesforce.com"
    "SALESFORCE_CLIENT_ID=<consumer key>"
    "SALESFORCE_USERNAME=integration@example.com"
    "SALESFORCE_TOPICS=/data/Delete_Tracking__chn"
    "CHECK_OBJECTS=" # of platform events, for example Lead: a topic /event/… tells no object
)
sync_settings=(
    "SYNC_SCHEDULE=0 0 2 * * *"
    "SNOWFLAKE_ACCOUNT=<organization>-<account>"
    "SNOWFLAKE_DATABASE=AUDIT"
    "SNOWFLAKE_SCHEMA=SALESFORCE"
    "SNOWFLAKE_WAREHOUSE=DELETE_SYNC_WH"
    "SNOWFLAKE_AUTHENTICATOR=WORKLOAD_IDENTITY"
)
keep_event_files_days=365

if [[ ! "$prefix" =~ ^[a-z][a-z0-9]{2,10}$ ]]; then
    echo "create: prefix must begin with a letter and have 3 to 11 lower-case letters or digits" >&2
    exit 1
fi
regions=$(az functionapp list-flexconsumption-locations --query "[].name" --output tsv)
if ! grep -qx "$location" <<<"$regions"; then
    echo "create: location $location has no Flex Consumption plan. Choose one of" \
        "'az functionapp list-flexconsumption-locations --output table'" >&2
    exit 1
fi
subscription=$(az account show --query id --output tsv)
tenant=$(az account show --query tenantId --output tsv)
if [ -z "$operator" ]; then
    operator=$(az ad signed-in-user show --query id --output tsv)
fi
if [ -z "$unique" ]; then
    unique=$(printf %s "$subscription/$group" | cksum | cut -c1-8 | tr -d " ")
fi
isolation=()
if [ "$python" = 3.12 ]; then isolation=(PYTHON_ISOLATE_WORKER_DEPENDENCIES=1); fi

data="${prefix}data${unique}"

grant() { # principal, role, scope, type of the principal
    az role assignment create --assignee-object-id "$1" --role "$2" --scope "$3" \
        --assignee-principal-type "${4:-ServicePrincipal}" --output none
}

az group create --name "$group" --location "$location" --output none

# The storage account for event files and cursors has no shared keys. The containers are created
# here, because the apps have roles on these two only.
az storage account create --name "$data" --resource-group "$group" --location "$location" \
    --sku Standard_ZRS --kind StorageV2 --allow-blob-public-access false \
    --allow-shared-key-access false --min-tls-version TLS1_2 --https-only true --output none
az storage account blob-service-properties update \
    --account-name "$data" --resource-group "$group" \
    --enable-delete-retention true --delete-retention-days 14 \
    --enable-container-delete-retention true --container-delete-retention-days 14 --output none
for container in events cursors; do
    az storage container-rm create --storage-account "$data" --resource-group "$group" \
        --name "$container" --output none
done
az storage account management-policy create --account-name "$data" --resource-group "$group" \
    --output none --policy '{"rules": [{
    "name": "remove-old-event-files", "enabled": true, "type": "Lifecycle", "definition": {
        "filters": {"blobTypes": ["blockBlob"], "prefixMatch": ["events/events_"]},
        "actions": {"baseBlob": {"delete": {
            "daysAfterCreationGreaterThan": '"$keep_event_files_days"'}}}}}]}'
data_id=$(az storage account show --name "$data" --resource-group "$group" \
    --query id --output tsv)
grant "$operator" "Storage Blob Data Contributor" "$data_id" User

workspace=$(az monitor log-analytics workspace create --resource-group "$group" \
    --workspace-name "$prefix-logs" --retention-time 90 --query id --output tsv)
insights=(--resource-type Microsoft.Insights/components --api-version 2020-02-02
    --resource-group "$group" --name "$prefix-insights")
az resource create "${insights[@]}" --is-full-object --output none --properties '{
    "location": "'"$location"'", "kind": "web", "properties": {
        "Application_Type": "web", "WorkspaceResourceId": "'"$workspace"'",
        "DisableLocalAuth": true}}'
insights_id=$(az resource show "${insights[@]}" --query id --output tsv)
connection=$(az resource show "${insights[@]}" --query properties.ConnectionString --output tsv)

# Arguments: name, short name, setting of the secret or -, name of the secret, role on the
# containers, containers, settings.
create_app() {
    local name=$1 short=$2 secret_setting=$3 secret=$4 data_role=$5 containers=$6
    shift 6
    local host="${short}${unique}" vault="${short}${unique}"
    local identity principal client vault_id credentials
    identity=$(az identity create --resource-group "$group" --name "$name-identity" \
        --query id --output tsv)
    principal=$(az identity show --resource-group "$group" --name "$name-identity" \
        --query principalId --output tsv)
    client=$(az identity show --resource-group "$group" --name "$name-identity" \
        --query clientId --output tsv)
    az storage account create --name "$host" --resource-group "$group" --location "$location" \
        --sku Standard_LRS --kind StorageV2 --allow-blob-public-access false \
        --allow-shared-key-access false --min-tls-version TLS1_2 --https-only true \
        --output none
    az storage container-rm create --storage-account "$host" --resource-group "$group" \
        --name package --output none
    az keyvault show --name "$vault" --resource-group "$group" --output none 2>/dev/null ||
        az keyvault create --name "$vault" --resource-group "$group" --location "$location" \
            --enable-rbac-authorization true --enable-purge-protection true --retention-days 7 \
            --output none
    grant "$principal" "Storage Blob Data Owner" "$(az storage account show --name "$host" \
        --resource-group "$group" --query id --output tsv)"
    vault_id=$(az keyvault show --name "$vault" --resource-group "$group" \
        --query id --output tsv)
    grant "$principal" "Key Vault Secrets User" "$vault_id"
    grant "$operator" "Key Vault Secrets Officer" "$vault_id" User
    grant "$principal" "Monitoring Metrics Publisher" "$insights_id"
    for container in $containers; do
        grant "$principal" "$data_role" "$data_id/blobServices/default/containers/$container"
    done
    az functionapp show --resource-group "$group" --name "$name" --output none 2>/dev/null ||
        az functionapp create --resource-group "$group" --name "$name" \
            --flexconsumption-location "$location" --runtime python --runtime-version "$python" \
            --instance-memory 512 --maximum-instance-count 40 --https-only true \
            --disable-app-insights true \
            --storage-account "$host" --deployment-storage-name "$host" \
            --deployment-storage-container-name package \
            --deployment-storage-auth-type UserAssignedIdentity \
            --deployment-storage-auth-value "$identity" --output none
    az functionapp config appsettings set --resource-group "$group" --name "$name" \
        --output none --settings \
        "AzureWebJobsStorage__blobServiceUri=https://$host.blob.core.windows.net/" \
        "AzureWebJobsStorage__credential=managedidentity" \
        "AzureWebJobsStorage__clientId=$client" \
        "APPLICATIONINSIGHTS_CONNECTION_STRING=$connection" \
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING=ClientId=$client;Authorization=AAD" \
        "EVENTS_STORAGE__blobServiceUri=https://$data.blob.core.windows.net/" \
        "EVENTS_STORAGE__clientId=$client" \
        "MANAGED_IDENTITY_CLIENT_ID=$client" \
        "MALLOC_ARENA_MAX=2" ${isolation[@]+"${isolation[@]}"} "$@"
    # az also sets a connection string with a key. The storage account does not accept keys.
    az functionapp config appsettings delete --resource-group "$group" --name "$name" \
        --setting-names AzureWebJobsStorage --output none
    az resource update --resource-group "$group" --name "$name" \
        --resource-type Microsoft.Web/sites \
        --set "properties.keyVaultReferenceIdentity=$identity" --output none
    az functionapp config set --resource-group "$group" --name "$name" --min-tls-version 1.2 \
        --output none
    for credentials in scm ftp; do # publishing uses Entra ID, without user names and passwords
        az resource update --resource-group "$group" --namespace Microsoft.Web \
            --resource-type basicPublishingCredentialsPolicies --parent "sites/$name" \
            --name "$credentials" --set properties.allow=false --output none
    done
    if [ "$secret_setting" != - ]; then
        az functionapp config appsettings set --resource-group "$group" --name "$name" \
            --output none --settings \
            "$secret_setting=@Microsoft.KeyVault(VaultName=$vault;SecretName=$secret)"
    fi
}

create_app "$prefix-salesforce-client-$unique" "${prefix}sc" \
    SALESFORCE_PRIVATE_KEY salesforce-private-key \
    "Storage Blob Data Contributor" "events cursors" "${collector_settings[@]}"
create_app "$prefix-delete-sync-$unique" "${prefix}ds" \
    - - "Storage Blob Data Reader" "events" "${sync_settings[@]}"

people=$(az monitor action-group create --name "$prefix-alerts" --resource-group "$group" \
    --short-name "${prefix:0:12}" --action email operator "$email" --query id --output tsv)

alert() { # name, severity, every, window, query, columns that a mail shows
    local name=$1 severity=$2 every=$3 window=$4 query columns="" column
    query=$(sed 's/[\\"]/\\&/g' <<<"$5")
    shift 5
    for column in "$@"; do
        columns="$columns${columns:+, }"'{"name": "'"$column"'", "operator": "Include",
            "values": ["*"]}'
    done
    az resource create --name "$prefix-$name" --resource-group "$group" \
        --resource-type Microsoft.Insights/scheduledQueryRules --api-version 2026-03-01 \
        --is-full-object --output none --properties '{
        "location": "'"$location"'", "kind": "LogAlert", "properties": {
            "displayName": "'"$prefix: ${name//-/ }"'",
            "description": "docs/operations.md says what to do.",
            "severity": '"$severity"', "enabled": '"$alerts_on"', "scopes": ["'"$workspace"'"],
            "evaluationFrequency": "'"$every"'", "windowSize": "'"$window"'",
            "criteria": {"allOf": [{
                "query": "'"$query"'", "dimensions": ['"$columns"'],
                "timeAggregation": "Count", "operator": "GreaterThan", "threshold": 0,
                "failingPeriods": {"numberOfEvaluationPeriods": 1,
                    "minFailingPeriodsToAlert": 1}}]},
            "autoMitigate": true, "skipQueryValidation": true,
            "actions": {"actionGroups": ["'"$people"'"]}}}'
}

collector="AppRoleName =~ \"$prefix-salesforce-client-$unique\""
sync="AppRoleName =~ \"$prefix-delete-sync-$unique\""
both="AppRoleName in~ (\"$prefix-salesforce-client-$unique\", \"$prefix-delete-sync-$unique\")"
succeeded="Success == true | summarize Runs = count() | where Runs < 1"
texts="summarize Text = take_any(InnermostMessage) by OperationId"
texts="$texts | extend Text = replace_regex(Text, @\"^Result: \\w*\\s+Exception: \", \"\")"
last_sweep="AppRequests | where $sync and Name == \"SnowflakePusher\""
last_sweep="$last_sweep | summarize arg_max(TimeGenerated, Success, OperationId)"
its_errors="join kind=inner (AppExceptions | where $sync) on OperationId"
alert a-run-failed 1 PT15M PT30M \
    "AppRequests | where $both and Success == false\
 | join kind=leftouter (AppExceptions | $texts) on OperationId\
 | extend Error = extract(@\"^[^\\r\\n]{0,300}\", 0, Text)\
 | extend Cause = extract(@\"\\n  - ([^\\r\\n]{0,300})\", 1, Text)\
 | extend Cause = replace_regex(Cause, @\" *\\(rpcId[^)]*\\)\", \"\")\
 | project TimeGenerated, Function = Name, Error, Cause" Function Error Cause
alert no-successful-poll 0 PT30M PT2H \
    "AppRequests | where $collector and Name == \"TimerPoller\" and $succeeded"
alert no-successful-sweep 2 PT6H P2D \
    "AppRequests | where $sync and Name == \"SnowflakePusher\" and $succeeded"
alert the-last-sweep-failed 2 PT1H P2D "$last_sweep | where Success == false"
alert event-files-wait 2 PT1H P2D \
    "$last_sweep | $its_errors | where InnermostMessage has \"BacklogError\""
alert the-collector-is-silent 0 PT1H P2D \
    "$last_sweep | $its_errors | where InnermostMessage has \"SilenceError\""
alert a-gap-was-recorded 1 PT30M PT1H \
    "AppTraces | where $collector and Message matches regex @\"\\bgaps=[1-9]\""
alert events-were-rejected 2 PT30M PT1H \
    "AppTraces | where $collector and Message matches regex @\"\\brejected=[1-9]\""
alert a-cursor-grows-old 0 PT30M PT2H \
    "AppTraces | where $collector and Message contains \"cursor_age=\""
alert the-allocation-runs-out 1 PT30M PT1H \
    "AppTraces | where $collector\
 | where Message matches regex @\"\\b(allocation=low|error=LimitExceededError)\\b\""
alert a-day-is-unproven 2 PT6H P1D \
    "AppTraces | where $both\
 | where Message matches regex @\"\\b(unproven object=|objects=unknown)\""

collector_app="$prefix-salesforce-client-$unique"
sync_app="$prefix-delete-sync-$unique"
sites="/subscriptions/$subscription/resourceGroups/$group/providers/Microsoft.Web/sites"
sync_principal=$(az identity show --resource-group "$group" --name "$sync_app-identity" \
    --query principalId --output tsv)

cat <<NEXT
create: done. Continue with step 2 of README.md.
  tenantId           $tenant
  subscriptionId     $subscription
  resourceGroupName  $group
  collectorApp       $collector_app
  collectorAppId     $sites/$collector_app
  collectorVault     ${prefix}sc${unique}
  syncApp            $sync_app
  syncAppId          $sites/$sync_app
  syncVault          ${prefix}ds${unique}
  dataAccount        $data
  syncPrincipalId    $sync_principal
NEXT
