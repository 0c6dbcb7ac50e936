-- Way a, recommended: no secret at all.
-- Settings: SNOWFLAKE_AUTHENTICATOR=WORKLOAD_IDENTITY and MANAGED_IDENTITY_CLIENT_ID.
-- Step 0, once for each tenant: an administrator of Entra ID consents to Snowflake's application.
-- The section "Workload identity" of README.md has the address.
-- Both values below come from Azure: the tenant id, and the deployment's output syncPrincipalId.
USE ROLE USERADMIN;

ALTER USER delete_sync_svc SET WORKLOAD_IDENTITY = (
    TYPE = AZURE
    ISSUER = 'https://login.microsoftonline.com/<tenant id>/v2.0'
    SUBJECT = '<object (principal) id of the managed identity>'
);
