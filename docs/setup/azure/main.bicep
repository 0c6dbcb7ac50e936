// Everything that the two apps need, in one resource group. README.md has the order of steps.
targetScope = 'resourceGroup'

@description('''
Every name begins with it. It has only lower-case letters and digits, because names of storage
accounts allow no others. It begins with a letter, because names of vaults do.
''')
@minLength(3)
@maxLength(11)
param prefix string

param location string = resourceGroup().location

@allowed(['3.12', '3.13'])
param pythonVersion string = '3.13'

@description('Receives the alerts.')
param alertEmail string

@description('Turn the alerts on when everything runs: step 5 of README.md.')
param alertsOn bool = false

@description('NCRONTAB with six fields, in UTC: Flex Consumption knows no other time zone.')
param pollSchedule string = '0 */30 * * * *'
param syncSchedule string = '0 0 2 * * *'

@description('salesforce_client: consumer key, user, topics. The private key is in the Key Vault.')
param salesforceClientId string
param salesforceUsername string
param salesforceTopics string
param checkObjects string = ''
param salesforceLoginUrl string = 'https://login.salesforce.com'

@description('delete_sync: the place of the table delete_tracker.')
param snowflakeAccount string
param snowflakeDatabase string
param snowflakeSchema string
param snowflakeWarehouse string
param snowflakeRole string = ''

@description('''
The service user that logs in with the private key in the Key Vault. Empty for workload identity.
''')
param snowflakeUser string = ''

@description('''
Azure removes an event file this many days after its creation, also if it was never loaded. Choose
more days than any outage lasts.
''')
@minValue(30)
param keepEventFilesDays int = 365

@description('''
The subject of the GitHub workflow that may publish, for example
repo:<owner>/<repository>:environment:production. Empty for none.
''')
param githubSubject string = ''

var letters = 'abcdefghijklmnopqrstuvwxyz'
var foreign = filter(
  map(range(0, length(prefix)), place => substring(prefix, place, 1)),
  sign => !contains('${letters}0123456789', sign)
)
var isPrefix = empty(foreign) && contains(letters, substring(prefix, 0, 1))
var rule = 'prefix must begin with a letter and have only lower-case letters and digits'
var checkedPrefix = isPrefix ? prefix : fail('${rule}: ${prefix}')
var suffix = uniqueString(resourceGroup().id)

resource data 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: '${checkedPrefix}data${take(suffix, 8)}'
  location: location
  kind: 'StorageV2'
  sku: { name: 'Standard_ZRS' }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      deleteRetentionPolicy: { enabled: true, days: 14 }
      containerDeleteRetentionPolicy: { enabled: true, days: 14 }
    }

    // Created here, because the apps have roles on these two containers only, not on the account.
    resource events 'containers' = { name: 'events' }
    resource cursors 'containers' = { name: 'cursors' }
  }

  resource lifecycle 'managementPolicies' = {
    name: 'default'
    properties: {
      policy: {
        rules: [
          {
            name: 'remove-old-event-files'
            enabled: true
            type: 'Lifecycle'
            definition: {
              filters: { blobTypes: ['blockBlob'], prefixMatch: ['events/events_'] }
              actions: {
                baseBlob: { delete: { daysAfterCreationGreaterThan: keepEventFilesDays } }
              }
            }
          }
        ]
      }
    }
  }
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: '${checkedPrefix}-logs'
  location: location
  properties: { sku: { name: 'PerGB2018' }, retentionInDays: 90 }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: '${checkedPrefix}-insights'
  location: location
  kind: 'web'
  properties: { Application_Type: 'web', WorkspaceResourceId: workspace.id, DisableLocalAuth: true }
}

var blobServiceUri = data.properties.primaryEndpoints.blob

module collector 'app.bicep' = {
  name: 'salesforce-client'
  params: {
    // The name of an app is a host name, so it is globally unique.
    name: '${checkedPrefix}-salesforce-client-${take(suffix, 6)}'
    shortName: '${checkedPrefix}sc'
    location: location
    pythonVersion: pythonVersion
    insightsName: insights.name
    dataAccountName: data.name
    dataContainers: [data::blobs::events.name, data::blobs::cursors.name]
    writesData: true
    settings: {
      POLL_SCHEDULE: pollSchedule
      SALESFORCE_LOGIN_URL: salesforceLoginUrl
      SALESFORCE_CLIENT_ID: salesforceClientId
      SALESFORCE_USERNAME: salesforceUsername
      SALESFORCE_TOPICS: salesforceTopics
      CHECK_OBJECTS: checkObjects
      EVENTS_STORAGE__blobServiceUri: blobServiceUri
    }
    vaultReferences: { SALESFORCE_PRIVATE_KEY: 'salesforce-private-key' }
  }
}

module sync 'app.bicep' = {
  name: 'delete-sync'
  params: {
    name: '${checkedPrefix}-delete-sync-${take(suffix, 6)}'
    shortName: '${checkedPrefix}ds'
    location: location
    pythonVersion: pythonVersion
    insightsName: insights.name
    dataAccountName: data.name
    dataContainers: [data::blobs::events.name]
    writesData: false
    settings: union(
      {
        SYNC_SCHEDULE: syncSchedule
        SNOWFLAKE_ACCOUNT: snowflakeAccount
        SNOWFLAKE_DATABASE: snowflakeDatabase
        SNOWFLAKE_SCHEMA: snowflakeSchema
        SNOWFLAKE_WAREHOUSE: snowflakeWarehouse
        SNOWFLAKE_ROLE: snowflakeRole
        EVENTS_STORAGE__blobServiceUri: blobServiceUri
      },
      empty(snowflakeUser) ? {
        SNOWFLAKE_AUTHENTICATOR: 'WORKLOAD_IDENTITY'
      } : { SNOWFLAKE_USER: snowflakeUser }
    )
    vaultReferences: empty(snowflakeUser) ? {} : { SNOWFLAKE_PRIVATE_KEY: 'snowflake-private-key' }
  }
}

module alerts 'alerts.bicep' = {
  name: 'alerts'
  params: {
    prefix: checkedPrefix
    location: location
    workspaceId: workspace.id
    email: alertEmail
    alertsOn: alertsOn
    collectorApp: collector.outputs.appName
    syncApp: sync.outputs.appName
  }
}

module github 'github.bicep' = if (!empty(githubSubject)) {
  name: 'github'
  params: {
    prefix: checkedPrefix
    location: location
    subject: githubSubject
    appNames: [collector.outputs.appName, sync.outputs.appName]
  }
}

output collectorApp string = collector.outputs.appName
output collectorVault string = collector.outputs.vaultName
output syncApp string = sync.outputs.appName
output syncVault string = sync.outputs.vaultName

@description('The storage account of event files and cursors.')
output dataAccount string = data.name

@description('The AZURE_CLIENT_ID of the workflow.')
output githubClientId string = empty(githubSubject) ? '' : github!.outputs.clientId

@description('The SUBJECT of the Snowflake user, for workload identity.')
output syncPrincipalId string = sync.outputs.principalId
