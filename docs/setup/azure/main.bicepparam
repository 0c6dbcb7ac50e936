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
