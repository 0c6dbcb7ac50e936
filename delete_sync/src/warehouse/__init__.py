"""Snowflake: the session, the tables, the staged files, and the load of a batch."""
