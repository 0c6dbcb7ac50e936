"""Misspelled names of settings: which are found, and which names of other tools are left alone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_docs import in_docs

from salesforce_client.src.app.spelling import changes, meant

# Names that other programs read from the same environment, by the place that documents them.
OTHERS = {
    "Azure Functions: learn.microsoft.com, 'App settings reference for Azure Functions'": """
        APPINSIGHTS_INSTRUMENTATIONKEY APPLICATIONINSIGHTS_CONNECTION_STRING
        APPLICATIONINSIGHTS_AUTHENTICATION_STRING AZURE_FUNCTION_PROXY_DISABLE_LOCAL_CALL
        AZURE_FUNCTIONS_ENVIRONMENT AzureFunctionsJobHost__functionTimeout
        AzureFunctionsWebHost__hostid AzureWebJobsDashboard AzureWebJobsDisableHomepage
        AzureWebJobsDotNetReleaseCompilation AzureWebJobsFeatureFlags
        AzureWebJobsKubernetesSecretName AzureWebJobsSecretStorageKeyVaultUri
        AzureWebJobsSecretStorageKeyVaultClientId AzureWebJobsSecretStorageKeyVaultTenantId
        AzureWebJobsSecretStorageSas AzureWebJobsSecretStorageType AzureWebJobsStorage
        AzureWebJobsStorage__accountName AzureWebJobsStorage__blobServiceUri
        AzureWebJobsStorage__clientId AzureWebJobsStorage__credential
        AzureWebJobsStorage__queueServiceUri AzureWebJobsStorage__tableServiceUri
        AzureWebJobs_TypeScriptPath AzureWebJobs.TimerPoller.Disabled
        DEPLOYMENT_STORAGE_CONNECTION_STRING DOCKER_REGISTRY_SERVER_PASSWORD
        DOCKER_REGISTRY_SERVER_URL DOCKER_REGISTRY_SERVER_USERNAME DOCKER_SHM_SIZE
        ENABLE_ORYX_BUILD FUNCTION_APP_EDIT_MODE FUNCTIONS_EXTENSION_VERSION
        FUNCTIONS_NODE_BLOCK_ON_ENTRY_POINT_ERROR FUNCTIONS_REQUEST_BODY_SIZE_LIMIT
        FUNCTIONS_WORKER_PROCESS_COUNT FUNCTIONS_WORKER_RUNTIME FUNCTIONS_WORKER_RUNTIME_VERSION
        FUNCTIONS_V2_COMPATIBILITY_MODE JAVA_OPTS MDMaxBackgroundUpgradePeriod
        PIP_EXTRA_INDEX_URL PIP_INDEX_URL PYTHON_ENABLE_DEBUG_LOGGING
        PYTHON_ENABLE_WORKER_EXTENSIONS PYTHON_ISOLATE_WORKER_DEPENDENCIES
        PYTHON_THREADPOOL_THREAD_COUNT SCALE_CONTROLLER_LOGGING_ENABLED
        SCM_DO_BUILD_DURING_DEPLOYMENT SCM_LOGSTREAM_TIMEOUT
        WEBSITE_CONTENTAZUREFILECONNECTIONSTRING WEBSITE_CONTENTOVERVNET WEBSITE_CONTENTSHARE
        WEBSITE_DNS_SERVER
        WEBSITE_ENABLE_BROTLI_ENCODING WEBSITE_FUNCTIONS_ARMCACHE_ENABLED
        WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT WEBSITE_NODE_DEFAULT_VERSION
        WEBSITE_OVERRIDE_STICKY_EXTENSION_VERSIONS WEBSITE_RUN_FROM_PACKAGE
        WEBSITE_SKIP_CONTENTSHARE_VALIDATION WEBSITE_SLOT_NAME WEBSITE_TIME_ZONE
        WEBSITE_USE_PLACEHOLDER WEBSITE_VNET_ROUTE_ALL WEBSITES_ENABLE_APP_SERVICE_STORAGE
        WEBSITE_PULL_IMAGE_OVER_VNET""",
    "Azure App Service: learn.microsoft.com, 'Environment variables and app settings'": """
        APPSETTING_SALESFORCE_TOPICS APPSETTING_EVENTS_STORAGE CUSTOMCONNSTR_EVENTS_STORAGE
        COMPUTERNAME CONTAINER_NAME CONTAINER_ENCRYPTION_KEY DIAGNOSTIC_LOGS_MOUNT_PATH HOME
        HTTP_AUTHORITY HTTP_LOGGING_ENABLED MACHINEKEY_DecryptionKey PORT PRE_BUILD_COMMAND
        POST_BUILD_COMMAND REGION_NAME REMOTEDEBUGGINGVERSION WEBSITE_AUTH_ENABLED
        WEBSITE_CONTAINER_READY WEBSITE_HOME_STAMPNAME WEBSITE_HOSTNAME WEBSITE_INSTANCE_ID
        WEBSITE_OWNER_NAME WEBSITE_PLACEHOLDER_MODE WEBSITE_POD_NAME WEBSITE_RESOURCE_GROUP
        WEBSITE_SITE_NAME WEBSITE_SKU WEBSITE_WARMUP_PATH WEBSITE_PRIVATE_IP WEBSITE_PRIVATE_PORTS
        WEBSITES_CONTAINER_START_TIME_LIMIT WEBSITES_PORT""",
    "azure-identity: pypi.org/project/azure-identity, and its _constants.py": """
        AZURE_AUTHORITY_HOST AZURE_CLIENT_CERTIFICATE_PASSWORD AZURE_CLIENT_CERTIFICATE_PATH
        AZURE_CLIENT_ID AZURE_CLIENT_SECRET AZURE_CLIENT_SEND_CERTIFICATE_CHAIN
        AZURE_FEDERATED_TOKEN_FILE AZURE_PASSWORD AZURE_POD_IDENTITY_AUTHORITY_HOST
        AZURE_REGIONAL_AUTHORITY_NAME AZURE_TENANT_ID AZURE_TOKEN_CREDENTIALS AZURE_USERNAME
        AZURE_KUBERNETES_TOKEN_PROXY AZURE_ADDITIONALLY_ALLOWED_TENANTS IDENTITY_ENDPOINT
        IDENTITY_HEADER IDENTITY_SERVER_THUMBPRINT IMDS_ENDPOINT MSI_ENDPOINT MSI_SECRET""",
    "azure-core: learn.microsoft.com, 'Configure logging', and azure/core/settings.py": """
        AZURE_CLOUD AZURE_HTTP_USER_AGENT AZURE_LOG_LEVEL AZURE_SDK_TRACING_IMPLEMENTATION
        AZURE_TELEMETRY_DISABLED AZURE_TRACING_ENABLED""",
    "Azure Storage tools: learn.microsoft.com, 'az storage'": """
        AZURE_STORAGE_ACCOUNT AZURE_STORAGE_AUTH_MODE AZURE_STORAGE_CONNECTION_STRING
        AZURE_STORAGE_KEY AZURE_STORAGE_SAS_TOKEN AZURE_SUBSCRIPTION_ID""",
    "Functions Core Tools: github.com/Azure/azure-functions-core-tools": """
        FUNCTIONS_CORE_TOOLS_TELEMETRY_OPTOUT FUNCTIONS_CORETOOLS_ENVIRONMENT
        AZURE_FUNCTIONS_ENVIRONMENT languageWorkers__python__defaultExecutablePath
        languageWorkers__python__arguments""",
    "gRPC: github.com/grpc/grpc/blob/master/doc/environment_variables.md": """
        GRPC_CFSTREAM_RUN_LOOP GRPC_DEFAULT_SSL_ROOTS_FILE_PATH GRPC_DNS_RESOLVER
        GRPC_ENABLE_FORK_SUPPORT GRPC_EXPERIMENTS GRPC_POLL_STRATEGY GRPC_PROXY_EXP
        GRPC_SSL_CIPHER_SUITES GRPC_TRACE GRPC_VERBOSITY grpc_proxy no_grpc_proxy""",
    "requests and urllib3: requests.readthedocs.io, 'Advanced usage'": """
        ALL_PROXY CURL_CA_BUNDLE HTTPS_PROXY HTTP_PROXY NETRC NO_PROXY REQUESTS_CA_BUNDLE
        SSLKEYLOGFILE SSL_CERT_DIR SSL_CERT_FILE all_proxy http_proxy https_proxy no_proxy""",
    "Snowflake connector 4 and 5: its source, os.environ and os.getenv": """
        ARROW_DEFAULT_MEMORY_POOL AWS_DEFAULT_REGION AWS_REGION AWS_USE_DUALSTACK_ENDPOINT
        AWS_USE_FIPS_ENDPOINT CLIENT_LOG_DIR_PATH_DOCKER JENKINS_HOME JWT_LIFETIME_IN_SECONDS
        MANAGED_IDENTITY_CLIENT_ID MAX_CON_RETRY_ATTEMPTS MIN_PWD_LEN MIN_TOKEN_LEN OCSP_MAX_RETRY
        SF_AUTH_SOCKET_ADDR SF_AUTH_SOCKET_PORT SF_OCSP_ACTIVATE_NEW_ENDPOINT SF_OCSP_DO_RETRY
        SF_OCSP_FAIL_OPEN SF_OCSP_RESPONSE_CACHE_DIR SF_OCSP_RESPONSE_CACHE_SERVER_ENABLED
        SF_OCSP_RESPONSE_CACHE_SERVER_URL SNOWFLAKE_AUTH_FORCE_SERVER
        SNOWFLAKE_AUTH_SOCKET_MSG_DONTWAIT SNOWFLAKE_AUTH_SOCKET_REUSE_PORT
        SNOWFLAKE_DISABLE_MINICORE SNOWFLAKE_ENABLE_AWS_WIF_OUTBOUND_TOKEN SNOWFLAKE_HOME""",
    "Snowflake: docs.snowflake.com, 'Connecting … using the connections.toml file'": """
        SNOWFLAKE_CONNECTIONS SNOWFLAKE_DEFAULT_CONNECTION_NAME""",
    "Snowflake CLI: docs.snowflake.com, 'Configuring Snowflake CLI'": """
        SNOWFLAKE_ACCOUNT SNOWFLAKE_AUTHENTICATOR SNOWFLAKE_CLIENT_STORE_TEMPORARY_CREDENTIAL
        SNOWFLAKE_CLI_FEATURES_ENABLE_STREAMLIT_VERSIONED_STAGE SNOWFLAKE_CLI_LOGS_LEVEL
        SNOWFLAKE_CLI_LOGS_PATH SNOWFLAKE_CLI_LOGS_SAVE_LOGS SNOWFLAKE_CONNECTIONS_DEV_ACCOUNT
        SNOWFLAKE_CONNECTIONS_DEV_DATABASE SNOWFLAKE_CONNECTIONS_DEV_HOST
        SNOWFLAKE_CONNECTIONS_DEV_PASSWORD SNOWFLAKE_CONNECTIONS_DEV_PORT
        SNOWFLAKE_CONNECTIONS_DEV_PRIVATE_KEY_FILE SNOWFLAKE_CONNECTIONS_DEV_ROLE
        SNOWFLAKE_CONNECTIONS_DEV_SCHEMA SNOWFLAKE_CONNECTIONS_DEV_USER
        SNOWFLAKE_CONNECTIONS_DEV_WAREHOUSE SNOWFLAKE_DATABASE SNOWFLAKE_ENABLE_DIAG
        SNOWFLAKE_DIAG_LOG_PATH SNOWFLAKE_DIAG_ALLOWLIST_PATH SNOWFLAKE_HOST
        SNOWFLAKE_MASTER_TOKEN SNOWFLAKE_MFA_PASSCODE SNOWFLAKE_OAUTH_AUTHORIZATION_URL
        SNOWFLAKE_OAUTH_CLIENT_ID SNOWFLAKE_OAUTH_CLIENT_SECRET SNOWFLAKE_OAUTH_REDIRECT_URI
        SNOWFLAKE_OAUTH_SCOPE SNOWFLAKE_OAUTH_TOKEN_REQUEST_URL SNOWFLAKE_PASSWORD SNOWFLAKE_PORT
        SNOWFLAKE_PRIVATE_KEY_FILE SNOWFLAKE_PRIVATE_KEY_PATH SNOWFLAKE_PRIVATE_KEY_RAW
        SNOWFLAKE_PROTOCOL SNOWFLAKE_ROLE SNOWFLAKE_SCHEMA SNOWFLAKE_SESSION_ID
        SNOWFLAKE_SESSION_TOKEN SNOWFLAKE_TOKEN SNOWFLAKE_TOKEN_FILE_PATH SNOWFLAKE_USER
        SNOWFLAKE_WAREHOUSE SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER PRIVATE_KEY_PASSPHRASE
        SNOWFLAKE_PRIVATE_KEY_PASSPHRASE""",
    "Other tools around Snowflake: SnowSQL, dbt, SQLAlchemy, Snowflake Labs' MCP server": """
        SNOWSQL_ACCOUNT SNOWSQL_PWD SNOWSQL_PRIVATE_KEY_PASSPHRASE SNOWFLAKE_PAT SNOWFLAKE_URL
        SNOWFLAKE_REGION SNOWFLAKE_MCP_HOST SNOWFLAKE_USERNAME SNOWFLAKE_QUERY_TAG""",
    "Salesforce CLI: developer.salesforce.com, 'Salesforce CLI Environment Variables'": """
        SALESFORCE_HOME SF_ACCESS_TOKEN SF_AUDIENCE_URL SF_ORG_API_VERSION SF_ORG_INSTANCE_URL
        SF_TARGET_ORG SF_USE_GENERIC_UNIX_KEYCHAIN SFDX_AUTH_URL""",
    "Application Insights and OpenTelemetry: opentelemetry.io, 'Environment variables'": """
        APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL OTEL_EXPORTER_OTLP_ENDPOINT
        OTEL_RESOURCE_ATTRIBUTES OTEL_SERVICE_NAME OTEL_TRACES_SAMPLER""",
    "Python, the shell, Windows": """
        APPDATA COLUMNS EDITOR HOMEDRIVE HOMEPATH HOSTNAME LANG LANGUAGE LC_ALL LOCALAPPDATA LOGNAME
        MAIL MALLOC_ARENA_MAX MAX_JOBS OLDPWD PATH PS1 PWD PYTHONPATH PYTHONUNBUFFERED SHELL
        SHLVL TEMP TERM TMPDIR
        TZ USER USERNAME USERPROFILE VIRTUAL_ENV""",
}
EVERY_OTHER = sorted({name for names in OTHERS.values() for name in names.split()})
APPS: Mapping[str, set[str]] = {app: in_docs(app) for app in ("salesforce_client", "delete_sync")}
OURS = sorted(APPS["salesforce_client"] | APPS["delete_sync"])


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("SALESFORCE_TOPIC", "SALESFORCE_TOPICS"),
        ("SALESFORCE_TOPIKZ", "SALESFORCE_TOPICS"),
        ("EVENT_CONTAINER", "EVENTS_CONTAINER"),
        ("EVENT_CONTAINERS", "EVENTS_CONTAINER"),
        ("FULL_SWEEPS", "FULL_SWEEP"),
        ("CURSOR_CONTAINER", "CURSORS_CONTAINER"),
        ("SALESFROCE_TOPICS", "SALESFORCE_TOPICS"),
        ("SALEFORCE_USERNAMES", "SALESFORCE_USERNAME"),
        ("SALESFORCE_USER_NAME", "SALESFORCE_USERNAME"),
        ("SALESFORCETOPIC", "SALESFORCE_TOPICS"),
        ("SALESFORCE-TOPICS", "SALESFORCE_TOPICS"),
        ("salesforce.topics", "SALESFORCE_TOPICS"),
        ("Salesforce_Topics", "SALESFORCE_TOPICS"),
        ("EVENTS_STORAGE_blobServiceUri", "EVENTS_STORAGE__blobServiceUri"),
        ("EVENTS_STORAGE:blobServiceUri", "EVENTS_STORAGE__blobServiceUri"),
        ("EVENTS_STORAGE__blobServiceUrl", "EVENTS_STORAGE__blobServiceUri"),
        ("EVENTS_STORAGE__BLOBSERVICEURI", "EVENTS_STORAGE__blobServiceUri"),
        ("EVENT_STORAGE_BLOB_SERVICE_URI", "EVENTS_STORAGE__blobServiceUri"),
        ("EVENTS_STORAGE__clientID", "EVENTS_STORAGE__clientId"),
        ("IDLE_SECOND", "IDLE_SECONDS"),
        ("MAX_RUN_SECOND", "MAX_RUN_SECONDS"),
        ("MAX_BACKLOG_HOUR", "MAX_BACKLOG_HOURS"),
        ("MOCK_MOD", "MOCK_MODE"),
        ("SNOWFLAKE_WAREHOSUE", "SNOWFLAKE_WAREHOUSE"),
        ("SNOWFLAKE_SHEMA", "SNOWFLAKE_SCHEMA"),
        ("SNOWFLAKE_TABEL", "SNOWFLAKE_TABLE"),
        ("SNOWFLAKE_ACOUNTT", "SNOWFLAKE_ACCOUNT"),
        ("SNOWFLAKE_PRIVATE_KEYFILE", "SNOWFLAKE_PRIVATE_KEY_FILE"),
        ("SNOWFLAKE_PRIVATKEY", "SNOWFLAKE_PRIVATE_KEY"),
    ],
)
def test_a_misspelled_name_means_the_setting_that_it_nearly_matches(wrong: str, right: str) -> None:
    """People leave out an S, swap letters, or write another separator."""
    assert meant(wrong, OURS) == right


@pytest.mark.parametrize(
    "name",
    [
        *("MAX_ROWS", "SNOWFLAKE_HOME", "SNOWFLAKE_PAT", "SNOWFLAKE_USER_ID", "MOCK_NAME"),
        *("EVENTZZ_CONTAINERR", "SALESFORCE_PRIVATE_KEY_2", "SALESFORCE_PRIVATE_KEY_OLD", "X", ""),
    ],
)
def test_a_name_that_is_further_away_is_left_alone(name: str) -> None:
    """A short word differs in more than one letter, or the name in more than two or in a digit."""
    assert meant(name, OURS) is None


@pytest.mark.parametrize("app", APPS)
def test_no_name_of_another_tool_is_taken_for_a_misspelled_setting(app: str) -> None:
    """A false alarm would stop an app that works."""
    others = set(EVERY_OTHER) - APPS[app]
    assert len(others) > 200
    assert {name: meant(name, APPS[app]) for name in others if meant(name, APPS[app])} == {}


@pytest.mark.parametrize(("app", "other"), [tuple(APPS), tuple(reversed(tuple(APPS)))])
def test_the_settings_of_the_other_app_are_left_alone(app: str, other: str) -> None:
    """People copy all settings into both apps."""
    for name in APPS[other] - APPS[app]:
        assert meant(name, APPS[app]) is None


@given(st.sampled_from(OURS), st.data())
def test_each_single_mistake_is_found(name: str, data: st.DataObject) -> None:
    """A letter is missing, twice there, or has changed places, or the case is another."""
    at = data.draw(st.integers(0, len(name) - 2))
    first, second = name[at], name[at + 1]
    wrong = data.draw(
        st.sampled_from(
            [
                name[:at] + name[at + 1 :],
                name[:at] + first + name[at:],
                name[:at] + second + first + name[at + 2 :],
                name.swapcase(),
                name.replace("_", "-"),
                name.replace("_", ""),
            ]
        )
    )
    if "_" not in (first, second):
        assert meant(wrong, OURS) == name


@given(st.text("abc", max_size=5), st.text("abc", max_size=5))
def test_the_number_of_changes_is_that_of_a_search_for_the_shortest_way(one: str, two: str) -> None:
    """The limit only saves time: below it, the number is exact."""
    exact = changes(one, two, 9)
    assert exact == changes(two, one, 9)
    assert (exact == 0) == (one == two)
    assert abs(len(one) - len(two)) <= exact <= max(len(one), len(two))
    for most in range(4):
        found = changes(one, two, most)
        assert found == exact if exact <= most else found > most


@pytest.mark.parametrize(
    ("one", "two", "number"),
    [
        *(("ab", "ba", 1), ("abc", "acb", 1), ("abc", "abx", 1), ("abc", "xyz", 3)),
        *(("ca", "abc", 3), ("aaa", "a", 2), ("a", "aaa", 2)),
    ],
)
def test_a_swap_of_neighbours_is_one_change(one: str, two: str, number: int) -> None:
    """No letter is changed twice, so ``ca`` and ``abc`` need three changes and not two."""
    assert changes(one, two, 9) == number
