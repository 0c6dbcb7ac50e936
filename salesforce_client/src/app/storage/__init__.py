"""Writes event files on this machine, uploads them to Blob Storage and stores cursors there."""
