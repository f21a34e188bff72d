"""Dockerfile instructions to LLB."""

from __future__ import annotations

from pybuild.compiler.lower.dockerfile.lower import lower
from pybuild.compiler.lower.dockerfile.options import (
    DirectoryContext,
    LoweredTarget,
    LowerOptions,
    StateContext,
    UsedArg,
)

__all__ = ["DirectoryContext", "LowerOptions", "LoweredTarget", "StateContext", "UsedArg", "lower"]
