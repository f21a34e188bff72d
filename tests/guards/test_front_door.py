"""The folders of the front door form one way in, and none of its names hides a name of the API."""

from __future__ import annotations

import pytest
from tests.guards.imports import FOLDERS, FRONT, imported, modules

import pybuild

MAY_IMPORT: dict[str, set[str]] = {
    "request": set(),
    "replay": {"request"},
    "language": {"request", "replay"},
    "plugins": {"request", "replay"},
    "frontends": {"request", "replay", "language", "plugins"},
    "build": {"request", "replay", "language", "plugins", "frontends"},
    "sdk": {"request", "replay", "language", "plugins", "frontends"},
    "builder": {"request", "replay", "language", "plugins", "frontends", "build"},
    "daemon": {"request", "replay", "language", "plugins", "frontends", "build", "builder"},
    "cli": {
        "request", "replay", "language", "plugins", "frontends", "build", "sdk", "builder", "daemon",
    },
}  # fmt: skip
"""The other folders of the front door that each folder may import. `pybuild/__init__.py` may import all of them."""

PUBLIC = pybuild._API | {"Builder"}
"""Names of the API that the package looks up when they are first used."""


def folder_of(module: str) -> str | None:
    """Return the folder of the front door that holds a module; None for a module outside of these folders."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in MAY_IMPORT else None


FRONT_MODULES = {name: path for name, path in modules().items() if folder_of(name) is not None}


def test_the_table_lists_every_folder() -> None:
    folders = {path.name for path in FRONT.iterdir() if (path / "__init__.py").exists()}
    assert folders - set(FOLDERS) == MAY_IMPORT.keys()


@pytest.mark.parametrize("module", sorted(FRONT_MODULES))
def test_folders_import_one_way(module: str) -> None:
    own = folder_of(module)
    assert own is not None
    for name in imported(FRONT_MODULES[module]):
        other = folder_of(name)
        if other is not None and other != own:
            assert other in MAY_IMPORT[own], f"{module} ({own}) imports {name} ({other})"


def test_the_table_has_no_cycle() -> None:
    for folder, others in MAY_IMPORT.items():
        for other in others:
            assert folder not in MAY_IMPORT[other], f"{folder} and {other}"
            assert MAY_IMPORT[other] <= others, f"{folder} may import {other}, but not all that {other} may"


def test_no_module_hides_a_name_of_the_api() -> None:
    """An import of `pybuild.version` would make `pybuild.version` the module for good."""
    names = {path.stem for path in FRONT.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert "release" in names
    assert not names & PUBLIC
