"""Event files on this machine, and Blob Storage."""
