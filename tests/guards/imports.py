"""What each module of the project imports, read from its syntax tree."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("lang", "compiler", "runtime", "stdlib")
FRONT = ROOT / "src" / "pybuild"


def modules() -> dict[str, Path]:
    """The project's modules by their dotted names; packages by their own. The committed links to the four folders
    are not followed."""
    found = {}
    for base, prefix in [(ROOT / folder, f"pybuild.{folder}") for folder in FOLDERS] + [(FRONT, "pybuild")]:
        for path in sorted(base.rglob("*.py")):
            below = path.relative_to(base)
            if any(part.startswith((".", "__pycache__")) for part in below.parts):
                continue
            if base == FRONT and below.parts[0] in FOLDERS:
                continue
            parts = [prefix, *below.with_suffix("").parts]
            if parts[-1] == "__init__":
                parts.pop()
            found[".".join(parts)] = path
    return found


@cache
def imported(path: Path) -> frozenset[str]:
    """Dotted names of all that a module imports, also inside functions and for type checking only; of a
    `from` import both the module and its members."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def room(module: str) -> str:
    """lang, compiler, runtime, stdlib, or front for the front door."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FOLDERS else "front"
