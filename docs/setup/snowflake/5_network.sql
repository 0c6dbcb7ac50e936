-- Run this only if the Function app has its own outbound addresses, by a virtual network with a
-- NAT gateway. The addresses of a plain Flex Consumption app may change at any time, and a wrong
-- address locks the sync out.
USE ROLE SYSADMIN;

CREATE NETWORK RULE IF NOT EXISTS audit.salesforce.delete_sync_addresses
    MODE = INGRESS
    TYPE = IPV4
    VALUE_LIST = ('<outbound address>/32');

USE ROLE SECURITYADMIN;

CREATE NETWORK POLICY IF NOT EXISTS delete_sync_network
    ALLOWED_NETWORK_RULE_LIST = ('audit.salesforce.delete_sync_addresses');
-- The user's policy takes precedence over the account's.
ALTER USER delete_sync_svc SET NETWORK_POLICY = delete_sync_network;
