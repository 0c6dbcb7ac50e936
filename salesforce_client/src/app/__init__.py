"""Reads delete events from Salesforce and writes them into event files. Start in ``run.py``."""
