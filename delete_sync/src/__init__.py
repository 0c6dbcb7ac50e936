"""The code of the sync. The function is in ``SnowflakePusher``. Start reading in ``run.py``."""
