"""Compilation of `.pybuild` files and Python build modules against this machine's files, repositories and
lock file."""
