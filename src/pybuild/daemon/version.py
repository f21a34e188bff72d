"""The version of BuildKit that the daemon reports: clients compare it with their own."""

from __future__ import annotations

from pybuild.release import VERSION as PYBUILD_VERSION

PACKAGE = "github.com/moby/buildkit"
VERSION = "v0.32.0"
DOCKERFILE = "1.26.0"
"""The version of the Dockerfile frontend that the built-in one matches."""
REVISION = f"pybuild-{PYBUILD_VERSION}"
