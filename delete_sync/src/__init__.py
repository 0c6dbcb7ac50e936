"""The sync's code; the Azure Function stands in ``SnowflakePusher``. See ``run.py`` for how the parts fit together."""
