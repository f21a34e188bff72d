"""Pages about codes, `lang/textual/pages/CODE.md`, and what their examples give.

    # E0503: what the code says
    What it means and why.
    ## Wrong
    The files of a project; a `console` block with a command and all that it says about them.
    ## Right
    What to do, and the files put right.

A fenced block is the file that the line before it names; without one it is `build.pybuild`, or `build.py` where it
is Python. A name with `//` in it is a module from elsewhere. The project lies in PROJECT, and HOST is a server for
which a test puts one of its own.
"""

from __future__ import annotations

import re
from os.path import dirname
from pathlib import Path

from attrs import frozen

from pybuild.lang.textual.codes import CODES

FOLDER = Path(__file__).resolve().parents[4] / "lang" / "textual" / "pages"
PROJECT = "/home/ana/web"
ROOTS = {"pybuild": "build.pybuild", "python": "build.py"}
HOST = "tools.acme.test"
"""As wide as 127.0.0.1:PORT, which takes its place."""

PYTHON = {code for code in CODES if code.startswith("E10")}
"""Codes of build modules in Python."""

_PAGE = re.compile(
    r"# (?P<code>[EWR]\d{4}): (?P<title>[^\n]+)\n\n(?P<what>.+?)\n\n## Wrong\n\n(?P<wrong>.+?\n)\n"
    r"## Right\n\n(?P<right>.+\n)",
    re.S,
)
_FENCE = re.compile(r"(?:^`(?P<name>[^`\n]+)`:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
_AFTER = re.compile(r"after \d+\.\ds")


@frozen
class Page:
    """`command` and what it has `shown` for the files `wrong`; `what` and `advice` are the text."""

    code: str
    title: str
    what: str
    wrong: dict[str, str]
    command: str
    shown: str
    advice: str
    right: dict[str, str]


def page(code: str) -> Page:
    found = _PAGE.fullmatch((FOLDER / f"{code}.md").read_text())
    assert found is not None, f"{code}.md has not the form of a page"
    wrong, console = _blocks(found["wrong"])
    right, _ = _blocks(found["right"])
    command, _, shown = console.partition("\n")
    advice = found["right"].partition("```")[0].strip()
    what = " ".join(found["what"].split("\n"))
    return Page(found["code"], found["title"], what, wrong, command.removeprefix("$ "), shown, advice, right)


def _blocks(text: str) -> tuple[dict[str, str], str]:
    """Files by name, and the text of the console."""
    files, console = {}, ""
    for one in _FENCE.finditer(text):
        if one["kind"] == "console":
            console = one["text"]
        else:
            files[one["name"] or ROOTS[one["kind"]]] = one["text"]
    return files, console


def rewrite(code: str, shown: str) -> None:
    """Have the page show this."""
    path = FOLDER / f"{code}.md"
    before, fence, rest = path.read_text().partition("```console\n")
    command, _, rest = rest.partition("\n")
    _, closing, after = rest.partition("```\n")
    path.write_text(f"{before}{fence}{command}\n{shown}{closing}{after}")


def write(files: dict[str, str], directory: Path) -> None:
    """Put the files of a project into a directory, without those from elsewhere."""
    for name, text in files.items():
        if "//" not in name:
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def steady(text: str, directory: Path) -> str:
    """What a command says, with what differs from run to run as a page has it."""
    text = text.strip().replace(str(directory), PROJECT).replace(str(directory.parent), dirname(PROJECT))
    text = _AFTER.sub("after 0.1s", text)
    return text.replace("within 1 s", "within 60 s") + "\n"
