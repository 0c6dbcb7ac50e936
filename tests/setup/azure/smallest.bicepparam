// The shortest prefix, and nothing that is optional.
using '../../../docs/setup/azure/main.bicep'

param prefix = 'abc'
param alertEmail = 'oncall@example.com'
param salesforceClientId = '<consumer key>'
param salesforceUsername = 'integration@example.com'
param salesforceTopics = '/data/Delete_Tracking__chn'
param snowflakeAccount = '<organization>-<account>'
param snowflakeDatabase = 'AUDIT'
param snowflakeSchema = 'SALESFORCE'
param snowflakeWarehouse = 'DELETE_SYNC_WH'
