"""Builds of `.pybuild` files: the front door's part of the language."""
