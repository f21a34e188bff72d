from __future__ import annotations

import os

import pytest
from tests.support.warm import program


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of commands: a store that all programs share, and `pybuild` as the program under test."""
    place = tmp_path_factory.mktemp("home")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYBUILD_", "BUILDKIT_"))
    }
    kept.pop("SOURCE_DATE_EPOCH", None)
    command = place / "bin" / "pybuild"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {program.command()} "$@"\n')
    command.chmod(0o755)
    kept["PATH"] = f"{command.parent}:{os.environ['PATH']}"
    kept |= {"PYBUILD_ROOT": str(place / "store"), "HOME": str(place), "LC_ALL": "C.UTF-8"}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1"}
