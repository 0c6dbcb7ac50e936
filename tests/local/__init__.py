"""Real servers and processes for the tests and the demo.

These are the environments, the emulators and the two apps. The apps are loaded as the Functions
worker loads them.
"""
