"""Turns payload bytes into values, and values into rows. Pure."""
