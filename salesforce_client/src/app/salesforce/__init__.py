"""All access to Salesforce: the login, the Pub/Sub API and its errors."""
