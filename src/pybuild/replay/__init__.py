"""Invocation records: a build of which nothing changed is replayed."""
