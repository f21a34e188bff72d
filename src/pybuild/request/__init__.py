"""What is asked of a build: flags, their values, configuration files."""
