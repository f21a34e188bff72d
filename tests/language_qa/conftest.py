"""The projects of `tests/language`, in a store of these tests' own."""

from __future__ import annotations

from language.conftest import alone, base, package, project, store

__all__ = ["alone", "base", "package", "project", "store"]
