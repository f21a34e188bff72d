"""As which BuildKit the daemon answers: what its clients compare versions with."""

from __future__ import annotations

from pybuild import __version__

PACKAGE = "github.com/moby/buildkit"
VERSION = "v0.32.0"
DOCKERFILE = "1.26.0"
"""The Dockerfile frontend whose language is built in."""
REVISION = f"pybuild-{__version__}"
