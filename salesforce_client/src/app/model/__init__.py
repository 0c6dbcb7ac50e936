"""The values that pass between the folders of this app. It imports no other module of the app.

Times are UTC text with milliseconds, ``2026-01-31T23:59:59.123Z``. Sorted as text, they are in the
order of time. A replay id is bytes that this app never interprets. Each ``Event`` and each
``Position`` has one. A ``Cursor`` stores a ``Position``.
"""
