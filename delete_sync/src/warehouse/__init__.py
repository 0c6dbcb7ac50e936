"""Snowflake: the session, the tables, the files that are staged, and the load of a batch."""
