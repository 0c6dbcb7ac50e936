"""Writes deletes in Salesforce into event files. ``run.py`` puts the parts together."""
