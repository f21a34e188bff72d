"""The command line: commands, displays and exit codes."""
