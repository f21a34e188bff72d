"""Frontends: from a build file to a graph, called through the gateway."""
