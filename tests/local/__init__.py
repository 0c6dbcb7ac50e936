"""What the tests and the demo run for real: environments, emulators and the two apps.

The apps are loaded as the Functions worker loads them.
"""
