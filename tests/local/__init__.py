"""The real parts of the tests and the demo: environments, emulators and the two apps as the Functions worker loads them."""
