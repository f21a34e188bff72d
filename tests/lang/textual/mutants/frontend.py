"""The examples, and all that is said of a program: parsed, loaded, checked, and expanded if that is clean."""

from __future__ import annotations

from pathlib import Path

from tests.lang.textual.expand.programs import BUILDER, Outside
from tests.lang.textual.worlds import PROJECT, STANDARD, World

from pybuild.lang.diagnostics import Diagnostic, SourceErrors, UserError
from pybuild.lang.textual.arrange import arranged
from pybuild.lang.textual.check.check import check
from pybuild.lang.textual.expand.expand import expand
from pybuild.lang.textual.expand.options import EVERYTHING, ExpandOptions
from pybuild.lang.textual.load import load

FOLDER = Path(__file__).parent.parent / "check" / "examples"

_CONTEXT = (
    "pyproject.toml uv.lock README.md src/main.py docs/index.md mkdocs.yml requirements.txt configs/a.toml "
    "package.json libs/a/package.json services/api/package.json services/worker/package.json "
    "services/billing/package.json go.mod bin/node scripts/x x setup.sh"
).split()
_DOCKERFILES = dict.fromkeys(
    ("Dockerfile", "legacy/Dockerfile"), "FROM scratch AS build\nFROM scratch AS t\n"
)

_CLEAN = {
    'sha256="aa"': f'sha256="{"a" * 64}"',
    '    needs a, b[py="3", db="x"]\n': """    needs a

target c:
    from py.app(context)
    healthcheck ["true"], interval=wait
    expose ports
    label big
    label "odd" = odd, "text" = text
""",
    "let d = diff(before, this)": 'copy "/" from diff(before, this) to "/difference/"',
}
"""What is refused or not used in the examples that show the whole grammar, and what stands in its place here."""


def _clean(text: str) -> str:
    for written, meant in _CLEAN.items():
        text = text.replace(written, meant)
    return text


FILES = {
    str(path.relative_to(FOLDER)): _clean(path.read_text()) for path in sorted(FOLDER.rglob("*.pybuild"))
}
_USERS = {
    "lib/node_service.pybuild": "4_mono.pybuild",
    "std/apt.pybuild": "6_ml.pybuild",
    "std/uv.pybuild": "2_web.pybuild",
}


def said(name: str, text: str) -> list[Diagnostic]:
    """All messages when `text` stands in the place of the example `name`; a module is seen from its user."""
    files = {**FILES, name: text}
    standard = {**STANDARD, "uv": files["std/uv.pybuild"], "apt": files["std/apt.pybuild"]}
    world = World({**dict.fromkeys(_CONTEXT, ""), **_DOCKERFILES, **files}, standard)
    loaded = load(world.root(_USERS.get(name, name)), world)
    found = list(loaded.diagnostics)
    if loaded.program is None:
        return arranged(found)
    found += check(loaded.program)
    if any(one.level == "error" for one in found):
        return arranged(found)
    try:
        recipe = expand(
            loaded.program, ExpandOptions(PROJECT, PROJECT, BUILDER, EVERYTHING, {}, ()), Outside()
        )
    except SourceErrors as errors:
        found += errors.diagnostics
    except UserError as error:
        found.append(error.diagnostic)
    else:
        found += recipe.warnings
    return arranged(found)
