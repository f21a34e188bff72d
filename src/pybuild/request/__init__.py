"""The request of a build: flags, their values, configuration files."""
