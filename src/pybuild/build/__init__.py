"""A build: from a request to exported results."""
