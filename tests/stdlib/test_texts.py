"""The texts of the standard library: clean, formatted, documented; examples and the reference are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pybuild.lang.diagnostics import Diagnostic
from pybuild.lang.textual.fmt import format_source
from pybuild.language.compiled import Compiled
from pybuild.language.library import standard_directory, standard_modules
from pybuild.language.reference import documented, examples, module_doc, page

MODULES = standard_modules()
REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "language" / "stdlib.md"
HEADER = "# syntax=pybuild:1\n\n"


def text(module: str) -> str:
    return (Path(standard_directory()) / f"{module}.pybuild").read_text(encoding="utf-8")


def findings(directory: Path, program: str) -> list[Diagnostic]:
    compiled = Compiled(str(directory / "build.pybuild"), program.encode())
    return list(compiled.findings()[1])


def test_what_there_is() -> None:
    assert " ".join(MODULES) == "apk apt cargo dnf fs git go npm oci pip pnpm users uv"


@pytest.mark.parametrize("module", MODULES)
def test_checks_clean_as_a_module(module: str, tmp_path: Path) -> None:
    called = f"{HEADER}use {module}\n\ntarget a:\n    from scratch\n"
    assert [one for one in findings(tmp_path, called) if one.code != "W0201"] == []


@pytest.mark.parametrize("module", MODULES)
def test_checks_clean_as_a_root(module: str, tmp_path: Path) -> None:
    assert findings(tmp_path, text(module)) == []


@pytest.mark.parametrize("module", MODULES)
def test_is_in_the_formatters_form(module: str) -> None:
    assert format_source(module, text(module).encode()) == text(module)
    assert [line for line in text(module).splitlines() if len(line) > 100 and line.startswith("#")] == []


@pytest.mark.parametrize("module", MODULES)
def test_is_documented(module: str) -> None:
    told = documented(module)
    assert told.doc
    assert told.defs
    assert all(param.doc for param in told.params)
    for one in told.defs:
        names = re.findall(r"^- `(\w+)`: ", one.doc, re.M)
        assert names == [parameter.name.name for parameter in one.parameters], one.name.name
        assert re.match(r"[A-Z`].*\.$", one.doc.split("\n\n")[0], re.S), one.name.name


@pytest.mark.parametrize("module", MODULES)
def test_the_example_checks_clean(module: str, tmp_path: Path) -> None:
    (program,) = examples(documented(module).doc)
    assert findings(tmp_path, HEADER + program) == []
    assert format_source(module, (HEADER + program).encode()) == HEADER + program


def test_the_reference_is_that_of_the_modules() -> None:
    """`python -m pybuild.language.reference > docs/language/stdlib.md` makes it so."""
    assert REFERENCE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize(
    ("source", "doc"),
    [
        ("# syntax=pybuild:1\n\n# A\n# b.\n\nuse apt\n", "A\nb."),
        ("# A.\n\n# B.\nuse apt\n", "A."),
        ("# B.\nuse apt\n", ""),
        ("use apt  # B.\n", ""),
        ("# A.\n", ""),
    ],
)
def test_a_modules_doc_stands_alone(source: str, doc: str) -> None:
    from pybuild.lang.textual.parse import decode, parse

    assert module_doc(parse(decode("m", source.encode())).file) == doc
