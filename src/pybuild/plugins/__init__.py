"""Frontends of installed packages: their entry points, and calls of them."""
