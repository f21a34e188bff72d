"""Programs and what they expand to. A case file is Markdown:

    ## what the case is about

    ```pybuild
    target a:
        from scratch
    ```

    ```asked
    wanted a b[x=1]
    param xs=1,2
    platforms linux/arm64
    file src/main.py
    ```

    ```recipe
    goal a linux/amd64
    ```

`=== NAME` in a program starts another file; the first is build.pybuild. `asked` may be left out. `problems` in the
place of `recipe` holds the messages, as they are rendered; `codes` their codes and lines only.
"""

from __future__ import annotations

import re
from pathlib import Path

from attrs import field, frozen
from tests.lang.textual.dump import dump
from tests.lang.textual.worlds import FOREIGN, PROJECT, STANDARD, World

from pybuild.lang import recipe
from pybuild.lang.diagnostics import Diagnostic, SourceErrors, render
from pybuild.lang.textual import modules
from pybuild.lang.textual.check.check import checked
from pybuild.lang.textual.expand.expand import expand
from pybuild.lang.textual.expand.options import DEFAULT, ExpandOptions
from pybuild.lang.textual.load import load

FOLDER = Path(__file__).parent / "cases"
HEADER = "# syntax=pybuild:1\n"
BUILDER = "linux/amd64"

_CASE = re.compile(r"^## (?P<title>.+?)\n(?P<rest>.*?)(?=^## |\Z)", re.M | re.S)
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


class Outside:
    """A repository at a tag."""

    def vcs(self, name: str) -> str | bool | int:
        return {"dirty": False, "epoch": 1700000000}.get(name, "v1.2.0")

    def may_read(self, path: str) -> bool:
        return False


@frozen
class Asked:
    wanted: tuple[str, ...] | str = DEFAULT
    params: dict[str, str] = field(factory=dict)
    platforms: tuple[str, ...] = ()

    @property
    def options(self) -> ExpandOptions:
        given = {name: recipe.ParamSetting(text, f"-p {name}={text}") for name, text in self.params.items()}
        return ExpandOptions(PROJECT, PROJECT, BUILDER, self.wanted, given, self.platforms)


NOTHING = Asked()


def program(text: str, files: dict[str, str] | None = None) -> modules.Program:
    """A program whose first file is `text`. It must be right as far as the check can tell."""
    first, *others = re.split(r"^=== (\S+)\n", text, flags=re.M)
    texts = {"build.pybuild": HEADER + first}
    texts |= {name: HEADER + body for name, body in zip(others[::2], others[1::2], strict=True)}
    standard = {
        **STANDARD,
        **{
            name[4:].removesuffix(".pybuild"): body for name, body in texts.items() if name.startswith("std/")
        },
    }
    foreign = {**FOREIGN, **{name: body for name, body in texts.items() if "//" in name}}
    world = World({**(files or {}), **texts}, standard, foreign)
    loaded = load(world.root(), world)
    assert loaded.program is not None
    said = [*loaded.diagnostics, *checked(loaded.program).diagnostics]
    wrong = [render(one) for one in said if one.level == "error"]
    assert not wrong, "\n".join(wrong)
    return loaded.program


def made(text: str, asked: Asked = NOTHING, files: dict[str, str] | None = None) -> recipe.Recipe:
    return expand(program(text, files), asked.options, Outside())


def problems(text: str, asked: Asked = NOTHING, files: dict[str, str] | None = None) -> list[Diagnostic]:
    """What is said of a program that does not expand."""
    try:
        made(text, asked, files)
    except SourceErrors as errors:
        return list(errors.diagnostics)
    raise AssertionError("it expands")


@frozen
class Case:
    title: str
    program: str
    asked: Asked
    files: dict[str, str]
    kind: str
    expected: str

    def run(self) -> str:
        if self.kind == "recipe":
            return dump(made(self.program, self.asked, self.files))
        found = problems(self.program, self.asked, self.files)
        if self.kind == "codes":
            return "".join(f"{one.code} {one.span.line - 1 if one.span else 0}\n" for one in found)
        return "\n".join(f"{render(one)}\n" for one in found)


def cases(path: Path) -> list[Case]:
    return [_case(match["title"], match["rest"]) for match in _CASE.finditer(path.read_text())]


def _case(title: str, rest: str) -> Case:
    blocks = dict(_FENCE.findall(rest))
    given, files = asked(blocks.get("asked", ""))
    kind = next(kind for kind in ("recipe", "problems", "codes") if kind in blocks)
    return Case(title, blocks["pybuild"], given, files, kind, blocks[kind])


def asked(text: str) -> tuple[Asked, dict[str, str]]:
    wanted: tuple[str, ...] | str = DEFAULT
    platforms: tuple[str, ...] = ()
    params, files = {}, {}
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "wanted":
            wanted = rest.removeprefix("=") if rest.startswith("=") else tuple(rest.split())
        elif word == "param":
            name, _, value = rest.partition("=")
            params[name] = value
        elif word == "platforms":
            platforms = tuple(rest.split())
        elif word == "file":
            name, _, content = rest.partition(" ")
            files[name] = content
        else:
            raise ValueError(line)
    return Asked(wanted, params, platforms), files
