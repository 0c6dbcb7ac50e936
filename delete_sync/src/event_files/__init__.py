"""Event files: the container that holds them, their download, and their content."""
