"""The code of the collector. The function is in ``TimerPoller``. Start in ``app/run.py``."""
