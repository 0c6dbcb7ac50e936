"""Salesforce: login, the Pub/Sub API, and its errors."""
