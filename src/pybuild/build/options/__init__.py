"""Flags and the values that they take."""
