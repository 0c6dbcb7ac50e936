using './main.bicep'

param prefix = 'sfdeletes'
param alertEmail = 'oncall@example.com'
param salesforceClientId = '<consumer key>'
param salesforceUsername = 'integration@example.com'
param salesforceTopics = '/data/Delete_Tracking__chn'
param checkObjects = '' // of platform events, for example 'Lead': a topic /event/… tells no object
param snowflakeAccount = '<organization>-<account>'
param snowflakeDatabase = 'AUDIT'
param snowflakeSchema = 'SALESFORCE'
param snowflakeWarehouse = 'DELETE_SYNC_WH'

// The person who runs the deployment: the README has the command that sets the variable.
param operatorPrincipalId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
