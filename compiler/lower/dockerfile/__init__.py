"""Dockerfile instructions to LLB."""

from __future__ import annotations

from pybuild.compiler.lower.dockerfile.lower import lower
from pybuild.compiler.lower.dockerfile.options import (
    DirectoryContext,
    Lowered,
    LowerOptions,
    StateContext,
    UsedArg,
)

__all__ = ["DirectoryContext", "LowerOptions", "Lowered", "StateContext", "UsedArg", "lower"]
