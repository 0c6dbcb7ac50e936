"""The operator's commands, one module each. Start in ``../__main__.py``."""
