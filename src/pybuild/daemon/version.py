"""The version of BuildKit that the daemon answers as: its clients compare their own with it."""

from __future__ import annotations

from pybuild.release import VERSION as PYBUILD_VERSION

PACKAGE = "github.com/moby/buildkit"
VERSION = "v0.32.0"
DOCKERFILE = "1.26.0"
"""The Dockerfile frontend whose language is built in."""
REVISION = f"pybuild-{PYBUILD_VERSION}"
