-- Way a, recommended: no secret at all.
-- Settings: SNOWFLAKE_AUTHENTICATOR=WORKLOAD_IDENTITY and MANAGED_IDENTITY_CLIENT_ID.
-- Step 0, once for each tenant: an administrator of Entra ID consents to Snowflake's application.
-- The section "Workload identity" of README.md has the address.
-- <tenant id>: az account show --query tenantId --output tsv
-- <object (principal) id of the managed identity>: the output syncPrincipalId of the deployment.
-- The form of ISSUER is that of Snowflake's documentation, page "Workload identity federation".
USE ROLE USERADMIN;

ALTER USER delete_sync_svc SET WORKLOAD_IDENTITY = (
    TYPE = AZURE
    ISSUER = 'https://login.microsoftonline.com/<tenant id>/v2.0'
    SUBJECT = '<object (principal) id of the managed identity>'
);
