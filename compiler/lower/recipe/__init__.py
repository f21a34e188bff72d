"""A recipe to LLB."""

from __future__ import annotations

from pybuild.compiler.lower.recipe.lower import lower
from pybuild.compiler.lower.recipe.options import Lowered, LoweredInstance, LowerOptions, Pin

__all__ = ["LowerOptions", "Lowered", "LoweredInstance", "Pin", "lower"]
