"""Frontends of installed packages: found by their entry points, called, and what they make turned into a plan."""
