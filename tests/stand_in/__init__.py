"""Tests of the stand-in for Snowflake: each of its rules, with the real connector."""
