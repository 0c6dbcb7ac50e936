// The identity with which .github/workflows/deploy.yml publishes. It needs no stored secret.
param prefix string
param location string
param subject string
param appNames string[]

var websiteContributor = 'de139f84-1756-47ae-9be6-808fbbe84772'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${prefix}-github'
  location: location

  resource credential 'federatedIdentityCredentials' = {
    name: 'github'
    properties: {
      issuer: 'https://token.actions.githubusercontent.com'
      subject: subject
      audiences: ['api://AzureADTokenExchange']
    }
  }
}

resource apps 'Microsoft.Web/sites@2025-03-01' existing = [for name in appNames: { name: name }]

resource publishers 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, place) in appNames: {
    name: guid(resourceGroup().id, name, identity.id, websiteContributor)
    scope: apps[place]
    properties: {
      principalId: identity.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        websiteContributor
      )
    }
  }
]

output clientId string = identity.properties.clientId
