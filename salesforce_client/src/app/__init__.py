"""Salesforce deletes into event files: see ``run.py`` for how the parts fit together."""
