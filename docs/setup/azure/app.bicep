// One Function app with its identity, host storage and Key Vault.
// It has its own Flex Consumption plan, because such a plan takes one app.
param name string

@description('The names of the storage account and the vault begin with it.')
param shortName string
param location string
param pythonVersion string
param insightsName string
param dataAccountName string

@description('Containers of the data account that the app uses.')
param dataContainers string[]

@description('Whether the app also writes into these containers. Otherwise it can only read them.')
param writesData bool

@description('App settings.')
param settings object

@description('App settings from the vault: the name of each setting and of its secret.')
param vaultReferences object

@description('The object id of the person who operates the app. Empty for none.')
param operatorPrincipalId string

@allowed(['User', 'Group', 'ServicePrincipal'])
param operatorPrincipalType string

@description('The name of the service in azure.yaml.')
param serviceName string

@description('Who reaches the storage account and the vault: publicNetworkAccess and networkAcls.')
param firewall object

@description('Subnets and zones of network.bicep. Empty without a network.')
param appSubnetId string
param endpointSubnetId string
param blobZoneId string
param vaultZoneId string

@description('The smallest instance. Both apps need less than a third of it.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 512

@description('A timer runs on one instance. Every region accepts 40, but not less.')
@minValue(1)
param maximumInstanceCount int = 40

var suffix = take(uniqueString(resourceGroup().id, name), 8)
var roles = {
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageBlobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  storageBlobDataReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  keyVaultSecretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
  keyVaultSecretsOfficer: 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
}
var dataRole = writesData ? roles.storageBlobDataContributor : roles.storageBlobDataReader

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${name}-identity'
  location: location
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource insightsRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, identity.id, roles.monitoringMetricsPublisher)
  scope: insights
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.monitoringMetricsPublisher
    )
  }
}

// The storage of the host: locks and schedule of the timer, and the published package.
// Each app has its own, so that no timer takes another's lock.
resource host 'Microsoft.Storage/storageAccounts@2026-06-01' = {
  name: '${shortName}${suffix}'
  location: location
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
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
    resource package 'containers' = { name: 'package' }
  }
}

resource hostRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(host.id, identity.id, roles.storageBlobDataOwner)
  scope: host
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.storageBlobDataOwner
    )
  }
}

resource data 'Microsoft.Storage/storageAccounts@2026-06-01' existing = {
  name: dataAccountName

  resource blobs 'blobServices' existing = {
    name: 'default'
    resource containers 'containers' existing = [
      for container in dataContainers: { name: container }
    ]
  }
}

resource dataRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (container, place) in dataContainers: {
    name: guid(data.id, container, identity.id, dataRole)
    scope: data::blobs::containers[place]
    properties: {
      principalId: identity.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', dataRole)
    }
  }
]

resource vault 'Microsoft.KeyVault/vaults@2026-05-15' = {
  name: '${shortName}${suffix}'
  location: location
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
    enablePurgeProtection: true
    publicNetworkAccess: firewall.publicNetworkAccess
    networkAcls: firewall.networkAcls
  }
}

resource vaultRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, identity.id, roles.keyVaultSecretsUser)
  scope: vault
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.keyVaultSecretsUser
    )
  }
}

var hasOperator = !empty(operatorPrincipalId)

resource operatorRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasOperator) {
  name: guid(vault.id, operatorPrincipalId, roles.keyVaultSecretsOfficer)
  scope: vault
  properties: {
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.keyVaultSecretsOfficer
    )
  }
}

module hostEndpoint 'endpoint.bicep' = if (!empty(endpointSubnetId)) {
  name: '${name}-storage'
  params: {
    name: '${host.name}-blob'
    location: location
    serviceId: host.id
    group: 'blob'
    subnetId: endpointSubnetId
    zoneId: blobZoneId
  }
}

module vaultEndpoint 'endpoint.bicep' = if (!empty(endpointSubnetId)) {
  name: '${name}-vault'
  params: {
    name: '${vault.name}-vault'
    location: location
    serviceId: vault.id
    group: 'vault'
    subnetId: endpointSubnetId
    zoneId: vaultZoneId
  }
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: '${name}-plan'
  location: location
  kind: 'functionapp'
  sku: { tier: 'FlexConsumption', name: 'FC1' }
  properties: { reserved: true }
}

var authenticationString = 'ClientId=${identity.properties.clientId};Authorization=AAD'

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  kind: 'functionapp,linux'
  tags: { 'azd-service-name': serviceName }
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identity.id
    virtualNetworkSubnetId: empty(appSubnetId) ? null : appSubnetId
    siteConfig: { minTlsVersion: '1.2' }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${host.properties.primaryEndpoints.blob}${host::blobs::package.name}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
      runtime: { name: 'python', version: pythonVersion }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
      }
    }
  }
  dependsOn: [hostRole, hostEndpoint, vaultEndpoint]

  // Publishing uses Entra ID. Nobody can publish with a user name and a password.
  resource scmCredentials 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }

  resource ftpCredentials 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  // These are all settings. The next deployment of this file removes any that was made by hand.
  resource appSettings 'config' = {
    name: 'appsettings'
    properties: union(
      {
        AzureWebJobsStorage__credential: 'managedidentity'
        AzureWebJobsStorage__clientId: identity.properties.clientId
        AzureWebJobsStorage__blobServiceUri: host.properties.primaryEndpoints.blob
        APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
        APPLICATIONINSIGHTS_AUTHENTICATION_STRING: authenticationString
        EVENTS_STORAGE__clientId: identity.properties.clientId
        MANAGED_IDENTITY_CLIENT_ID: identity.properties.clientId
        // Else the memory grows with each large run: see docs/collector-behaviours.md.
        MALLOC_ARENA_MAX: '2'
      },
      pythonVersion == '3.12' ? { PYTHON_ISOLATE_WORKER_DEPENDENCIES: '1' } : {},
      settings,
      mapValues(
        vaultReferences,
        secret => '@Microsoft.KeyVault(VaultName=${vault.name};SecretName=${secret})'
      )
    )
    dependsOn: [vaultRole, insightsRole, dataRoles]
  }
}

output appName string = app.name
output appId string = app.id
output vaultName string = vault.name
output principalId string = identity.properties.principalId
