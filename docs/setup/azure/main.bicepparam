using './main.bicep'

param prefix = 'sfdeletes'
param alertEmail = 'oncall@example.com'
param salesforceClientId = '<consumer key>'
param salesforceUsername = 'integration@example.com'
param salesforceTopics = '/event/Delete_Event__e,/data/Delete_Tracking__chn'
param snowflakeAccount = '<organization>-<account>'
param snowflakeDatabase = 'AUDIT'
param snowflakeSchema = 'SALESFORCE'
param snowflakeWarehouse = 'DELETE_SYNC_WH'

// The person who runs the deployment: the README has the command that sets the variable.
param operatorPrincipalId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
