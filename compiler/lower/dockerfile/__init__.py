"""Dockerfile instructions to LLB."""

from __future__ import annotations

from pybuild.compiler.lower.dockerfile.lower import lower
from pybuild.compiler.lower.dockerfile.options import Lowered, LowerOptions, UsedArg

__all__ = ["LowerOptions", "Lowered", "UsedArg", "lower"]
