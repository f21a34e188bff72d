"""Invocation records, by which an unchanged build is replayed."""
