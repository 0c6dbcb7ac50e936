"""Event files: the container that holds them, their way to the local disk, and their contents."""
