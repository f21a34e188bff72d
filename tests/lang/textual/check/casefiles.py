"""Case files: programs in Markdown with the codes that the check must give, at their lines.

    ## what the case is about

    ```pybuild
    target a:
        run make                # ! E0501
    ```

A fenced block is a program. `# ! CODE …` at a line's end names what is reported there; where the line takes no
comment, a line `#! CODE at LINE:COLUMN` at the end of the file says it. `=== NAME` starts another file of the
program; the first is build.pybuild. Names `std/…` are standard modules, names with `//` foreign ones. A `text` block
after the program is all that is said of it, rendered; then the codes may be left out. W0201 and W0802 count only in
programs that name them.
"""

from __future__ import annotations

import re
from pathlib import Path

from attrs import frozen
from tests.lang.textual.worlds import FOREIGN, STANDARD, World

from pybuild.lang.diagnostics import Diagnostic, render
from pybuild.lang.textual.arrange import arranged
from pybuild.lang.textual.check.check import checked
from pybuild.lang.textual.load import load

FOLDER = Path(__file__).parent / "cases"
QUIET = ("W0201", "W0802")

_BLOCK = re.compile(r"^## (?P<title>.+?)\n(?P<rest>.*?)(?=^## |\Z)", re.M | re.S)
_FENCE = re.compile(r"^```(pybuild|text)\n(.*?)^```$", re.M | re.S)
_AT_END = re.compile(r"# ! (?P<codes>[EW]\d{4}(?: [EW]\d{4})*)\s*$")
_AT_PLACE = re.compile(r"#! (?P<code>[EW]\d{4}) at (?P<line>\d+):(?P<column>\d+)\s*$")


@frozen
class Case:
    title: str
    files: dict[str, str]
    expected: tuple[tuple[str, int, int, str], ...]
    rendered: str | None

    def run(self) -> list[Diagnostic]:
        """All that is said of the program."""
        standard = {
            **STANDARD,
            **{_stem(name): text for name, text in self.files.items() if name.startswith("std/")},
        }
        foreign = {**FOREIGN, **{name: text for name, text in self.files.items() if "//" in name}}
        world = World(
            self.files, standard, foreign, moving=frozenset(n for n in foreign if n.endswith("@main"))
        )
        loaded = load(world.root(), world)
        found = list(loaded.diagnostics)
        if loaded.program is not None:
            found.extend(checked(loaded.program).diagnostics)
        text = "".join(self.files.values())
        return arranged(one for one in found if one.code not in QUIET or one.code in text)

    def found(self) -> list[tuple[str, int, int, str]]:
        """File, line, column and code of each message, the column 0 where none is expected."""
        exact = {(file, line, code) for file, line, column, code in self.expected if column}
        out = []
        for one in self.run():
            span = one.span
            assert span is not None, one.title
            key = (span.source.name, span.line, one.code or "")
            out.append((key[0], key[1], span.column if key in exact else 0, key[2]))
        return sorted(out)


def rendered(diagnostics: list[Diagnostic]) -> str:
    return "".join(f"{render(one)}\n\n" for one in diagnostics).rstrip("\n") + "\n"


def cases(path: Path) -> list[Case]:
    return [_case(match["title"], match["rest"]) for match in _BLOCK.finditer(path.read_text())]


def _case(title: str, rest: str) -> Case:
    program, golden = "", None
    for kind, text in _FENCE.findall(rest):
        if kind == "pybuild":
            program = text
        else:
            golden = text
    files: dict[str, str] = {}
    expected = []
    name, lines = "build.pybuild", list[str]()
    for line in [*program.split("\n")[:-1], "=== "]:
        if not line.startswith("=== "):
            lines.append(line)
            at_end, at_place = _AT_END.search(line), _AT_PLACE.match(line)
            if at_place:
                expected.append((name, int(at_place["line"]), int(at_place["column"]), at_place["code"]))
            elif at_end:
                expected += [(name, len(lines), 0, code) for code in at_end["codes"].split()]
            continue
        if lines or not files:
            files[name] = "\n".join(lines) + "\n"
        name, lines = line.removeprefix("=== "), []
    return Case(title, files, tuple(sorted(expected)), golden)


def _stem(name: str) -> str:
    return name.removeprefix("std/").removesuffix(".pybuild")
