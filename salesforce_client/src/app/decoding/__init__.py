"""Turns payload bytes into values, and values into rows. It uses no network and no storage."""
