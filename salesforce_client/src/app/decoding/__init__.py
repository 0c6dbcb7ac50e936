"""Payload bytes to values to rows. Pure."""
