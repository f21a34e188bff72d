"""Modules of this machine: what each sees as its own directory."""

from __future__ import annotations

from pathlib import Path

from pybuild.lang.recipe import Directory
from pybuild.lang.source import Source
from pybuild.lang.textual import tree
from pybuild.lang.textual.modules import PROJECT, STANDARD, Module, ModuleText
from pybuild.lang.textual.parse import parse
from pybuild.language.library import LocalLibrary, standard_directory
from pybuild.language.local_place import LocalPlace
from pybuild.replay.dependencies import Dependencies
from pybuild.request.project import Project


def found(directory: Path, text: str) -> ModuleText:
    """The module that the first `use` of a root file in a directory names; `directory` is the project."""
    library = LocalLibrary(Project(str(directory)), str(directory), Dependencies())
    root = library.root("build.pybuild", text.encode())
    file = parse(Source("build.pybuild", text)).file
    (use,) = [decl for decl in file.decls if isinstance(decl, tree.Use)]
    return library.find(use, Module(root.key, root.origin, file, root.place))


def context(module: ModuleText) -> Directory:
    state = module.place.state(())
    assert isinstance(state, Directory)
    return state


def test_the_context_of_a_module_is_its_own_directory(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "x.pybuild").write_text("# syntax=pybuild:1\n")
    (tmp_path / "lib" / ".dockerignore").write_text("*.log\n")
    module = found(tmp_path, 'use "./lib/x.pybuild" as x\n')
    state = context(module)
    assert module.origin == PROJECT
    assert (state.path, state.name, state.exclude) == (str(tmp_path / "lib"), "context:lib", ("*.log",))


def test_the_context_of_the_standard_library_holds_the_standard_library(tmp_path: Path) -> None:
    module = found(tmp_path, "use apt\n")
    assert module.origin == STANDARD
    assert context(module).path == standard_directory()
    assert isinstance(module.place, LocalPlace)
    assert module.place.kind("apt.pybuild") == "file"
    assert module.place.kind("../lang") is None
