"""A directory of installed packages that register frontends."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path

HEAD = """\
from pybuild.compiler.bridge import Bridge
from pybuild.compiler.frontend import Base, Built, BuiltImage, FrontendInputs
from pybuild.compiler.options import Options
from pybuild.compiler.state import State, bind, copy, merge, mkdir, mkfile
from pybuild.lang.diagnostics import Diagnostic, UserError, source_error
from pybuild.lang.source import Span
"""
"""What the modules of tests begin with."""


class Site:
    """`install` writes what pip leaves of a package: its modules, its metadata, its entry points."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def install(
        self,
        package: str,
        entries: Mapping[str, str],
        modules: Mapping[str, str] | None = None,
        *,
        version: str = "1.0",
    ) -> Path:
        """Its directory of metadata. `entries` maps names of frontends to `module:attribute`."""
        for name, code in (modules or {}).items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(HEAD + textwrap.dedent(code))
        info = self.path / f"{package}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
        (info / "entry_points.txt").write_text(f"[pybuild.frontends]\n{lines}")
        return info

    def uninstall(self, info: Path) -> None:
        for path in info.iterdir():
            path.unlink()
        info.rmdir()

    def frontend(self, body: str, *, name: str = "acme", package: str = "acme-build") -> None:
        """Install a frontend that is a module: `body` is that of its `build(bridge, inputs)`."""
        code = "def build(bridge: Bridge, inputs: FrontendInputs) -> Built:\n"
        code += textwrap.indent(textwrap.dedent(body).strip("\n") + "\n", "    ")
        module = package.replace("-", "_")
        self.install(package, {name: module}, {f"{module}.py": code})


def recipe(reference: str, **members: object) -> str:
    """A JSON file with a syntax member."""
    return json.dumps({"syntax": reference, **members}, indent=2)
