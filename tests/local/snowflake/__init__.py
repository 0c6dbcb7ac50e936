"""A stand-in for Snowflake that follows its documented rules and lets fakesnow run the SQL.

It runs inside fakesnow's environment and process. It serves the same HTTP paths, but decides itself
which rows a session sees, what commits, who waits for a lock, what is refused and with which
number. Every rule cites its page of Snowflake's documentation. Nothing here was compared with a
live account.
"""
