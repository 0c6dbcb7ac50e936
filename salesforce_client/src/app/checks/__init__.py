"""Checks the deletes of a poll against the lists that Salesforce keeps."""
