// The longest prefix, and everything that is optional.
using '../../../docs/setup/azure/main.bicep'

param prefix = 'abcdefghijk'
param alertEmail = 'oncall@example.com'
param salesforceClientId = '<consumer key>'
param salesforceUsername = 'integration@example.com'
param salesforceTopics = '/data/Delete_Tracking__chn'
param snowflakeAccount = '<organization>-<account>'
param snowflakeDatabase = 'AUDIT'
param snowflakeSchema = 'SALESFORCE'
param snowflakeWarehouse = 'DELETE_SYNC_WH'
param pythonVersion = '3.12'
param snowflakeUser = 'DELETE_SYNC'
param snowflakeRole = 'DELETE_SYNC_ROLE'
param githubSubject = 'repo:example/deletes:environment:production'
param operatorPrincipalId = '00000000-0000-0000-0000-000000000009'
param privateNetwork = true
param operatorAddresses = ['203.0.113.7']
