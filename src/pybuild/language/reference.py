"""The reference of the standard library, generated from its modules' doc comments.

`python -m pybuild.language.reference > docs/language/stdlib.md` writes the page of the manual.
"""

from __future__ import annotations

import os
import re
import sys

from attrs import frozen

from pybuild.lang.textual import tree
from pybuild.lang.textual.expand.params import declared
from pybuild.lang.textual.listing import written
from pybuild.lang.textual.parse import decode, parse
from pybuild.language.library import EXTENSION, standard_directory, standard_modules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

WIDTH: Final = 100
"""Width from which a signature has a line for each parameter, as the formatter lays it out."""

_INTRODUCTION: Final = """\
# Standard library

`use NAME` makes a module known, whose steps are called as `NAME.STEP(…)`. The modules are written in the language
itself and come with pybuild.

Run options of a `with` around a call reach the step's programs. Those that only one call is to have, such as the
login for a registry, are given as `auth`: a module can't name secrets itself.

Downloads and what is built of them stay in caches, which are no part of the image. They belong to the project;
`use NAME with scope="user"` shares them among all projects of the user.

"""


@frozen
class Documented:
    """A documented module of the standard library. `doc` is its first comment, `params` and `defs` its public
    names."""

    name: str
    doc: str
    params: tuple[tree.Param, ...]
    defs: tuple[tree.Def, ...]


def documented(name: str) -> Documented:
    """Read a module of the standard library. Raises SourceErrors for a module with mistakes."""
    path = os.path.join(standard_directory(), name + EXTENSION)
    with open(path, "rb") as text:
        file = parse(decode(f"std/{name}{EXTENSION}", text.read())).file
    public = [decl for decl in file.decls if not _private(decl)]
    return Documented(
        name,
        module_doc(file),
        tuple(decl for decl in public if isinstance(decl, tree.Param)),
        tuple(decl for decl in public if isinstance(decl, tree.Def)),
    )


def module_doc(file: tree.File) -> str:
    """Return the first comment of a file, if a blank line divides it from what follows."""
    lines: list[str] = []
    end = 0
    for comment in file.comments:
        if not comment.own_line or (lines and comment.span.line != end + 1):
            break
        lines.append(comment.text.removeprefix("#").removeprefix(" ").rstrip())
        end = comment.span.line
    first = file.decls[0].span.line if file.decls else 0
    return "\n".join(lines) if lines and end < first - 1 else ""


def page() -> str:
    """Return the page of the manual, as Markdown."""
    modules = [documented(name) for name in standard_modules()]
    listed = "".join(f"- [{module.name}](#{module.name}): {_first(module.doc)}\n" for module in modules)
    return _INTRODUCTION + listed + "".join(f"\n{section(module)}" for module in modules)


def section(module: Documented) -> str:
    """Return the section of a module."""
    parts = [f"## {module.name}\n", f"{fenced(module.doc)}\n"]
    if module.params:
        parts += ["| param | type | default | |\n|---|---|---|---|\n" + "".join(map(_row, module.params))]
    for definition in module.defs:
        parts += [
            f"### {module.name}.{definition.name.name}\n",
            f"```pybuild\n{signature(definition)}\n```\n",
            f"{fenced(definition.doc)}\n",
        ]
    return "\n".join(parts)


def signature(definition: tree.Def) -> str:
    """Return a def's header without its colon."""
    name = definition.name.name
    parameters = [_parameter(parameter) for parameter in definition.parameters]
    returns = f" -> {written(definition.returns.span)}" if definition.returns is not None else ""
    line = f"def {name}({', '.join(parameters)}){returns}"
    if len(line) <= WIDTH:
        return line
    return f"def {name}(\n" + "".join(f"    {parameter},\n" for parameter in parameters) + f"){returns}"


def fenced(doc: str) -> str:
    """Return a doc with its indented examples as fenced blocks."""
    return "\n".join(_fenced_lines(doc.strip("\n").split("\n")))


def examples(doc: str) -> list[str]:
    """Return the programs in a doc."""
    return re.findall(r"^```pybuild\n(.*?)^```$", fenced(doc) + "\n", re.M | re.S)


def _fenced_lines(lines: list[str]) -> Iterator[str]:
    inside = False
    for number, line in enumerate(lines):
        following = next((later for later in lines[number:] if later), "")
        indented = following.startswith("    ") and (inside or (number > 0 and not lines[number - 1]))
        if indented and not inside:
            yield "```pybuild"
        elif inside and not indented:
            yield "```"
        inside = indented
        yield line[4:] if inside else line
    if inside:
        yield "```"


def _parameter(parameter: tree.Parameter) -> str:
    default = f" = {written(parameter.default.span)}" if parameter.default is not None else ""
    return f"{parameter.name.name}: {written(parameter.type.span)}{default}"


def _row(param: tree.Param) -> str:
    default = f"`{written(param.default.span)}`" if param.default is not None else "required"
    type = str(declared(param.type)).replace("|", "\\|")
    return f"| `{param.name.name}` | `{type}` | {default} | {' '.join(param.doc.split())} |\n"


def _first(doc: str) -> str:
    return " ".join(doc.split("\n\n", 1)[0].split())


def _private(decl: tree.Decl) -> bool:
    name = getattr(decl, "name", None)
    return isinstance(name, tree.Ident) and name.name.startswith("_")


if __name__ == "__main__":
    sys.stdout.write(page())
