"""The collector's code; the Azure Function stands in ``TimerPoller``."""
