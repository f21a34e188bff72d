"""A recipe to LLB."""

from __future__ import annotations

from pybuild.compiler.lower.recipe.lower import lower
from pybuild.compiler.lower.recipe.options import LoweredInstance, LoweredRecipe, LowerOptions, Pin

__all__ = ["LowerOptions", "LoweredInstance", "LoweredRecipe", "Pin", "lower"]
