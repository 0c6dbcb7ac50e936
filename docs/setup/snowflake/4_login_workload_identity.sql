-- Way a, recommended: no secret at all. SNOWFLAKE_AUTHENTICATOR=WORKLOAD_IDENTITY; MANAGED_IDENTITY_CLIENT_ID names the identity.
-- Both values come from Azure: the tenant, and the output syncPrincipalId of the deployment.
USE ROLE USERADMIN;

ALTER USER delete_sync_svc SET WORKLOAD_IDENTITY = (
    TYPE = AZURE
    ISSUER = 'https://login.microsoftonline.com/<tenant id>/v2.0'
    SUBJECT = '<object (principal) id of the managed identity>'
);
