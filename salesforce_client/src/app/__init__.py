"""Reads delete events from Salesforce and writes them into event files. Start in ``run.py``."""

__version__ = "0.2.0"
