"""`pybuild check --format=json` prints diagnostics of the Language Server Protocol; `--fix` applies their edits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.lang.textual.codes.commands import Here
from tests.lang.textual.codes.pages import write
from tests.lang.textual.codes.programs import programs, put

from pybuild.cli.check_language import check_file
from pybuild.cli.explain import INDEX
from pybuild.cli.lsp_diagnostics import publish_params
from pybuild.cli.request_from_flags import graph_request
from pybuild.lang.diagnostics import Diagnostic
from pybuild.lang.source import Source
from pybuild.lang.textual.codes import CODES
from pybuild.lang.textual.modules import NotFound
from pybuild.lang.textual.parse import parse
from pybuild.language.compiled import Compiled
from pybuild.language.library import LocalLibrary

pytestmark = pytest.mark.long

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parent / "published.schema.json").read_text())
)
PROGRAMS = list(programs())
PARAMS = [pytest.param(files, id=name) for name, files in PROGRAMS]
_NOTHING: dict[str, Any] = {}


class Nowhere:
    """No module can be fetched."""

    def find(self, written: str) -> object:
        raise NotFound("E0801", f"there is no module `{written}`", label="not found")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYBUILD_ROOT", str(tmp_path.parent / "store"))
    monkeypatch.setattr(LocalLibrary, "_fetcher", lambda _: Nowhere())
    return tmp_path


def found(directory: Path) -> list[Diagnostic]:
    data = (directory / "build.pybuild").read_bytes()
    return check_file(Compiled("build.pybuild", data), graph_request(None, _NOTHING)).found


def _check_form(said: list[Diagnostic]) -> None:
    """It is what the protocol says."""
    listed = json.loads(json.dumps(publish_params(said, ["build.pybuild"])))
    SCHEMA.validate(listed)
    for file in listed:
        for one in file["diagnostics"]:
            assert one["code"] in CODES
            start, end = one["range"]["start"], one["range"]["end"]
            assert (start["line"], start["character"]) <= (end["line"], end["character"])


@pytest.mark.parametrize("files", PARAMS)
def test_messages_have_the_form_of_the_protocol_and_edits_take_them_away(
    files: dict[str, str], directory: Path
) -> None:
    put(files, directory)
    before = found(directory)
    _check_form(before)
    for one in before:
        if not one.edits:
            continue
        put(files, directory)
        _apply(publish_params([one], ["build.pybuild"]), directory)
        assert _key(one) not in map(_key, found(directory))
        if one.code != "E0112":  # the statement that is meant may take other arguments
            _still_parses(files, directory)


def _key(one: Diagnostic) -> tuple[str | None, str, str]:
    return one.code, one.title, one.span.place if one.span is not None else ""


def _still_parses(files: dict[str, str], directory: Path) -> None:
    """Nothing is wrong with the text of a file that had nothing wrong with it."""
    for name, text in files.items():
        if name.endswith(".pybuild") and (directory / name).exists() and not _mistakes(name, text):
            assert not _mistakes(name, (directory / name).read_text())


def _mistakes(name: str, text: str) -> list[str]:
    return [one.title for one in parse(Source(name, text)).diagnostics if one.level == "error"]


def _apply(listed: list[dict[str, Any]], directory: Path) -> None:
    """As an editor does: positions count UTF-16 code units."""
    changes = [
        (uri, edits)
        for file in listed
        for one in file["diagnostics"]
        for uri, edits in one["data"]["edit"]["changes"].items()
    ]
    for uri, edits in changes:
        path = directory / uri.removeprefix(f"file://{directory}/")
        lines = path.read_text().split("\n")
        for edit in sorted(edits, key=lambda edit: str(edit["range"]["start"]), reverse=True):
            start, end = edit["range"]["start"], edit["range"]["end"]
            head = _units(lines[start["line"]])[: start["character"] * 2]
            tail = _units(lines[end["line"]])[end["character"] * 2 :]
            whole = head.decode("utf-16-le") + edit["newText"] + tail.decode("utf-16-le")
            lines[start["line"] : end["line"] + 1] = whole.split("\n")
        path.write_text("\n".join(lines))


def _units(text: str) -> bytes:
    return text.encode("utf-16-le")


def test_positions_count_utf_16_code_units(directory: Path) -> None:
    text = '# syntax=pybuild:1\n\ntarget a:\n    from scratch\n    label "𝒜" = "𝒜é${{platfrom.os}}"\n'
    put({"build.pybuild": text}, directory)
    ((one,),) = [file["diagnostics"] for file in publish_params(found(directory), ["build.pybuild"])]
    line = text.split("\n")[4]
    start = len(_units(line[: line.index("platfrom")])) // 2
    assert start == line.index("platfrom") + 2, "two of the characters before take two units each"
    assert one["range"] == {
        "start": {"line": 4, "character": start},
        "end": {"line": 4, "character": start + len("platfrom")},
    }
    _apply(publish_params(found(directory), ["build.pybuild"]), directory)
    assert (directory / "build.pybuild").read_text() == text.replace("platfrom", "platform")


def test_all_of_a_message(directory: Path) -> None:
    text = '# syntax=pybuild:1\n\nparam python: str = "3"\n\ntarget a:\n    from "python:${{pyhton}}"\n'
    put({"build.pybuild": text}, directory)
    uri = f"file://{directory}/build.pybuild"
    place = {"start": {"line": 5, "character": 20}, "end": {"line": 5, "character": 26}}
    related = {"start": {"line": 2, "character": 6}, "end": {"line": 2, "character": 12}}
    assert publish_params(found(directory), ["build.pybuild"]) == [
        {
            "uri": uri,
            "diagnostics": [
                {
                    "range": place,
                    "severity": 1,
                    "source": "pybuild",
                    "code": "E0201",
                    "codeDescription": {"href": f"{INDEX}#e0201"},
                    "message": "unknown name `pyhton`: not defined in this file\nhelp: did you mean `python`?",
                    "relatedInformation": [
                        {
                            "location": {"uri": uri, "range": related},
                            "message": "a param with a similar name",
                        }
                    ],
                    "data": {
                        "help": ["did you mean `python`?"],
                        "edit": {"changes": {uri: [{"range": place, "newText": "python"}]}},
                    },
                }
            ],
        }
    ]


@pytest.mark.parametrize("code", ["E0100", "E0108", "E0303", "E0510", "W0601", "W0604", "W0610", "W0802"])
def test_fix_puts_pages_right(
    code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a page gives as right is what its edits lead to."""
    from tests.lang.textual.codes.pages import page

    here = Here(tmp_path, capsys, monkeypatch)
    found = page(code)
    write(found.wrong, here.directory)
    status, said = here.run("pybuild check --fix", found.wrong)
    assert (status, said) == (0, "\n")
    for name, text in found.right.items():
        assert (here.directory / name).read_text() == text


def test_what_has_no_single_remedy_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.lang.textual.codes.pages import page

    here = Here(tmp_path, capsys, monkeypatch)
    found = page("E0503")
    write(found.wrong, here.directory)
    status, said = here.run("pybuild check --fix", found.wrong)
    assert (status, said) == (2, found.shown)
    assert (here.directory / "build.pybuild").read_text() == found.wrong["build.pybuild"]
