"""The verifier shares no code with what it judges."""

from __future__ import annotations

import sys

import pytest
from tests.guards.imports import imported, modules

MODULES = {name: path for name, path in modules().items() if name.startswith("pybuild.runtime.verify")}
ALLOWED = ("pybuild.runtime.verify", "pybuild.lang.diagnostics")
DECOMPRESSORS = ("backports", "compression", "isal")


@pytest.mark.parametrize("module", sorted(MODULES))
def test_the_verifier_is_independent(module: str) -> None:
    for name in imported(MODULES[module]):
        top = name.split(".")[0]
        if top == "pybuild":
            assert name.startswith(ALLOWED), f"{module} imports {name}"
        else:
            assert top in sys.stdlib_module_names or top in DECOMPRESSORS, f"{module} imports {name}"


def test_the_verifier_has_modules() -> None:
    assert len(MODULES) > 5
