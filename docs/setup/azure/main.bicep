// Everything that the two apps need, in one resource group. README.md has the order of steps.
targetScope = 'resourceGroup'

@description('''
Every name begins with it. It has only lower-case letters and digits, because names of storage
accounts allow no others. It begins with a letter, because names of vaults do.
''')
@minLength(3)
@maxLength(11)
param prefix string

@description('A region that has the Flex Consumption plan and availability zones.')
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

@description('''
The object id of the person or group who stores the secrets and operates the apps. It gets the roles
for secrets and blobs. Empty for nobody.
''')
param operatorPrincipalId string = ''

@allowed(['User', 'Group', 'ServicePrincipal'])
param operatorPrincipalType string = 'User'

@description('''
Whether the apps run in a network of their own, with a fixed address, and reach the storage accounts
and vaults by private addresses.
''')
param privateNetwork bool = false

@description('''
With a network: the public addresses from which people reach blobs and secrets, as in
203.0.113.7 or 203.0.113.0/24.
''')
param operatorAddresses string[] = []

var letters = 'abcdefghijklmnopqrstuvwxyz'
var foreign = filter(
  map(range(0, length(prefix)), place => substring(prefix, place, 1)),
  sign => !contains('${letters}0123456789', sign)
)
var isPrefix = empty(foreign) && contains(letters, substring(prefix, 0, 1))
var rule = 'prefix must begin with a letter and have only lower-case letters and digits'
var checkedPrefix = isPrefix ? prefix : fail('${rule}: ${prefix}')
var suffix = uniqueString(resourceGroup().id)
var region = toLower(replace(location, ' ', ''))
var regions = [
  'australiaeast'
  'brazilsouth'
  'canadacentral'
  'centralindia'
  'centralus'
  'eastasia'
  'eastus'
  'eastus2'
  'francecentral'
  'germanywestcentral'
  'italynorth'
  'japaneast'
  'koreacentral'
  'northeurope'
  'norwayeast'
  'southafricanorth'
  'southcentralus'
  'southeastasia'
  'spaincentral'
  'swedencentral'
  'uaenorth'
  'uksouth'
  'westeurope'
  'westus2'
  'westus3'
]
var isRegion = contains(regions, region)
var regionRule = 'location must be a region with the Flex Consumption plan and availability zones'
var regionProblem = '${regionRule}: ${join(regions, ', ')}; not ${location}'
var checkedRegion = isRegion ? region : fail(regionProblem)

// Without a network everybody who has a role reaches storage and vaults.
var isOpen = !privateNetwork || !empty(operatorAddresses)
var firewall = {
  publicNetworkAccess: isOpen ? 'Enabled' : 'Disabled'
  networkAcls: {
    defaultAction: privateNetwork ? 'Deny' : 'Allow'
    bypass: 'AzureServices'
    ipRules: map(operatorAddresses, address => { value: address })
  }
}

module network 'network.bicep' = if (privateNetwork) {
  name: 'network'
  params: { prefix: checkedPrefix, location: checkedRegion }
}

module dataEndpoint 'endpoint.bicep' = if (privateNetwork) {
  name: 'data-storage'
  params: {
    name: '${data.name}-blob'
    location: checkedRegion
    serviceId: data.id
    group: 'blob'
    subnetId: network!.outputs.endpointSubnetId
    zoneId: network!.outputs.blobZoneId
  }
}

resource data 'Microsoft.Storage/storageAccounts@2026-06-01' = {
  name: '${checkedPrefix}data${take(suffix, 8)}'
  location: checkedRegion
  kind: 'StorageV2'
  sku: { name: 'Standard_ZRS' }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: firewall.publicNetworkAccess
    networkAcls: firewall.networkAcls
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

// The owner of the resource group cannot read blobs without this role.
var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

var hasOperator = !empty(operatorPrincipalId)

resource operatorRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasOperator) {
  name: guid(data.id, operatorPrincipalId, blobDataContributor)
  scope: data
  properties: {
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      blobDataContributor
    )
  }
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' = {
  name: '${checkedPrefix}-logs'
  location: checkedRegion
  properties: { sku: { name: 'PerGB2018' }, retentionInDays: 90 }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: '${checkedPrefix}-insights'
  location: checkedRegion
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
    location: checkedRegion
    pythonVersion: pythonVersion
    insightsName: insights.name
    dataAccountName: data.name
    dataContainers: [data::blobs::events.name, data::blobs::cursors.name]
    writesData: true
    serviceName: 'salesforce-client'
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
    firewall: firewall
    appSubnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    endpointSubnetId: privateNetwork ? network!.outputs.endpointSubnetId : ''
    blobZoneId: privateNetwork ? network!.outputs.blobZoneId : ''
    vaultZoneId: privateNetwork ? network!.outputs.vaultZoneId : ''
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

var withKey = { SNOWFLAKE_USER: snowflakeUser }
var withIdentity = { SNOWFLAKE_AUTHENTICATOR: 'WORKLOAD_IDENTITY' }

module sync 'app.bicep' = {
  name: 'delete-sync'
  params: {
    name: '${checkedPrefix}-delete-sync-${take(suffix, 6)}'
    shortName: '${checkedPrefix}ds'
    location: checkedRegion
    pythonVersion: pythonVersion
    insightsName: insights.name
    dataAccountName: data.name
    dataContainers: [data::blobs::events.name]
    writesData: false
    serviceName: 'delete-sync'
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
    firewall: firewall
    appSubnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    endpointSubnetId: privateNetwork ? network!.outputs.endpointSubnetId : ''
    blobZoneId: privateNetwork ? network!.outputs.blobZoneId : ''
    vaultZoneId: privateNetwork ? network!.outputs.vaultZoneId : ''
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
      empty(snowflakeUser) ? withIdentity : withKey
    )
    vaultReferences: empty(snowflakeUser) ? {} : { SNOWFLAKE_PRIVATE_KEY: 'snowflake-private-key' }
  }
}

module alerts 'alerts.bicep' = {
  name: 'alerts'
  params: {
    prefix: checkedPrefix
    location: checkedRegion
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
    location: checkedRegion
    subject: githubSubject
    appNames: [collector.outputs.appName, sync.outputs.appName]
  }
}

output tenantId string = tenant().tenantId
output subscriptionId string = subscription().subscriptionId
output resourceGroupName string = resourceGroup().name
output collectorApp string = collector.outputs.appName
output collectorAppId string = collector.outputs.appId
output collectorVault string = collector.outputs.vaultName
output syncApp string = sync.outputs.appName
output syncAppId string = sync.outputs.appId
output syncVault string = sync.outputs.vaultName

@description('The storage account of event files and cursors.')
output dataAccount string = data.name

@description('The AZURE_CLIENT_ID of the workflow.')
output githubClientId string = empty(githubSubject) ? '' : github!.outputs.clientId

@description('The SUBJECT of the Snowflake user, for workload identity.')
output syncPrincipalId string = sync.outputs.principalId

@description('The fixed address of the apps, for Snowflake\'s network policy.')
output outboundAddress string = privateNetwork ? network!.outputs.address : ''
