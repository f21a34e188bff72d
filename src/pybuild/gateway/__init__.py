"""Frontends as a gateway calls them: by attributes and inputs, for whatever client asks."""
