"""Strings, numbers and raw text."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lang.textual.parse.examples import HEADER, excerpt, parsed, statement, value

from pybuild.lang.textual import tree


def text(node: tree.Expr) -> str:
    assert isinstance(node, tree.String)
    assert all(isinstance(part, tree.Text) for part in node.parts)
    return "".join(part.value for part in node.parts if isinstance(part, tree.Text))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('""', ""),
        ("''", ""),
        ('"a"', "a"),
        ("'a\"b'", 'a"b'),
        (r'"\n\t\\\"\'\$"', "\n\t\\\"'$"),
        (r'"\u{1F600}\u{41}"', "\U0001f600A"),
        ('"# no comment"', "# no comment"),
        (r'r"\d+"', r"\d+"),
        ("r'${{x}} \\'", "${{x}} \\"),
        ('"$${{x}}"', "${{x}}"),
        ('"$$${{x}}"', "$${{x}}"),
        ('"a$"', "a$"),
        ('"""a"""', "a"),
        ('"""a "quoted" word"""', 'a "quoted" word'),
        ('"""\n    a\n      b\n"""', "a\n  b\n"),
        ('"""\n    a\n\n    b\n    """', "a\n\nb\n"),
        ('"""a\n    b"""', "a\n    b"),
        ('"""\n\ta\n\tb"""', "a\nb"),
        ('"""\n    \\n\n    x"""', "\n\nx"),
        ('"""\n   \n"""', "\n"),
        ('"""   """', ""),
    ],
)
def test_strings(written: str, meant: str) -> None:
    assert text(value(written)) == meant
    assert excerpt(value(written)) == written


@given(st.lists(st.text(st.sampled_from(" ab\t"), max_size=6), min_size=1, max_size=6))
def test_long_strings_lose_their_indentation_as_textwrap_dedent_does(rows: list[str]) -> None:
    body = "\n".join(rows)
    assert text(value(f'"""\n{body}"""')) == textwrap.dedent(body)


def test_parts_alternate_as_written() -> None:
    whole = value('"a${{x}}${{y}}b"')
    assert isinstance(whole, tree.String)
    assert [(type(part).__name__, excerpt(part)) for part in whole.parts] == [
        ("Text", "a"),
        ("Interpolation", "${{x}}"),
        ("Interpolation", "${{y}}"),
        ("Text", "b"),
    ]


def test_strings_inside_interpolations_inside_strings() -> None:
    written = '"dist/app-${{p.replace("/", "-${{"x" + \'${{ {"k": "}}"}["k"] }}\'}}")}}"'
    whole = value(written)
    assert excerpt(whole) == written
    inner = [one for one in walk(whole) if isinstance(one, tree.Map)]
    assert [excerpt(one) for one in inner] == ['{"k": "}}"}']


def walk(node: tree.Node) -> list[tree.Node]:
    from tests.lang.textual.parse.examples import nodes

    return nodes(tree.File(node.span, node.span.source, None, (tree.Check(node.span, node, None),), ()))  # type: ignore[arg-type]


def test_an_interpolation_in_a_long_string_stands_in_its_row() -> None:
    whole = value('"""\n    one ${{a}}\n      two ${{b}}\n    """')
    assert isinstance(whole, tree.String)
    assert [part.value for part in whole.parts if isinstance(part, tree.Text)] == ["one ", "\n  two ", "\n"]
    assert [excerpt(part) for part in whole.parts if isinstance(part, tree.Interpolation)] == [
        "${{a}}",
        "${{b}}",
    ]


@pytest.mark.parametrize(
    ("written", "variables"),
    [
        ('"$A"', [("A", "$A", 0)]),
        ('"x${AB}y$C_1"', [("AB", "${AB}", 1), ("C_1", "$C_1", 7)]),
        (r'"\$A\n$B"', [("B", "$B", 3)]),
        (r'"\$A $A"', [("A", "$A", 3)]),
        ('"${A:-x}"', [("", "${A:-x}", 0)]),
        ('"$(id)"', [("", "$(", 0)]),
        ('"$1 $ $$"', []),
        ('"$$A"', [("A", "$A", 1)]),
        ('r"$A"', []),
        ('"$${{A}}"', []),
        ('"""\n  a\n  $B\n"""', [("B", "$B", 2)]),
    ],
)
def test_variables(written: str, variables: list[tuple[str, str, int]]) -> None:
    whole = value(written)
    assert isinstance(whole, tree.String)
    found = [(part, one) for part in whole.parts if isinstance(part, tree.Text) for one in part.variables]
    assert [(one.name, one.text, one.start) for _, one in found] == variables
    for part, one in found:
        assert part.value[one.start :].startswith(one.text)
        assert excerpt(one) == one.text


@pytest.mark.parametrize(
    ("written", "kind", "meant"),
    [
        ("0", "int", 0),
        ("1_000", "int", 1000),
        ("0o755", "int", 0o755),
        ("0xfF", "int", 255),
        ("250ms", "duration", 250 * 10**6),
        ("30s", "duration", 30 * 10**9),
        ("5m", "duration", 300 * 10**9),
        ("1h", "duration", 3600 * 10**9),
        ("64KB", "size", 64000),
        ("64KiB", "size", 65536),
        ("2MiB", "size", 2 << 20),
        ("2MB", "size", 2 * 10**6),
        ("1GiB", "size", 1 << 30),
        ("1GB", "size", 10**9),
        ("1TiB", "size", 1 << 40),
        ("1TB", "size", 10**12),
        ("9223372036854775807", "int", 2**63 - 1),
    ],
)
def test_numbers(written: str, kind: str, meant: int) -> None:
    number = value(written)
    assert isinstance(number, tree.Number)
    assert (number.kind, number.value, excerpt(number)) == (kind, meant, written)


@pytest.mark.parametrize(
    "written",
    ["1.5", "1.2.3", "00", "08", "1__0", "1_", "0x", "0o8", "5k", "1.x", "9223372036854775808", "9" * 5000],
)
def test_no_numbers(written: str) -> None:
    codes = [one.code for one in parsed(f"{HEADER}let x = {written}\n").diagnostics]
    assert codes == (["E0110"] if written == "1.x" else ["E0108"]) or written == "1.x"


def script(text: str) -> tree.Script:
    one = statement(text)
    assert isinstance(one, tree.Run)
    return one.script


def pieces(one: tree.Script) -> list[str]:
    return [part.value if isinstance(part, tree.ScriptText) else excerpt(part) for part in one.parts]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("run true", ["true"]),
        ("run   a # b  ", ["a # b  "]),
        ("run a \\\n      b \\\n        c", ["a \\\n  b \\\n    c"]),
        ("run echo 'don''t' \"", ["echo 'don''t' \""]),
        ("run a ${{x}} b", ["a ", "${{x}}", " b"]),
        ("run ${{x}}${{ y }}", ["${{x}}", "${{ y }}"]),
        ("run a $${{x}} ${y} $z", ["a ${{x}} ${y} $z"]),
        ("run : # no block", [": # no block"]),
        ("run a \\\n      ${{x}} \\\n      b", ["a \\\n  ", "${{x}}", " \\\n  b"]),
        ("run a \\\n  ${{x}} \\\n   b", ["a \\\n", "${{x}}", " \\\n b"]),
        ("run a \\\n\n", ["a \\\n"]),
    ],
)
def test_raw_lines(written: str, meant: list[str]) -> None:
    one = script(f"    {written}\n")
    assert (pieces(one), one.block) == (meant, False)
    assert one.indent == 0 or "\n" in written
    assert excerpt(one) == written[3:].lstrip(" ").removesuffix("\n")


@pytest.mark.parametrize(
    ("block", "meant", "indent"),
    [
        ("        a\n", ["a\n"], 8),
        ("      a\n        b\n     c\n", [" a\n   b\nc\n"], 5),
        ("        a\n\n        b\n\n\n", ["a\n\nb\n"], 8),
        ("\n        a\n", ["\na\n"], 8),
        ("        # no comment\n        a\n", ["# no comment\na\n"], 8),
        ("        ${{x}}\n", ["${{x}}", "\n"], 8),
        ("        a\n        ${{x}} b\n", ["a\n", "${{x}}", " b\n"], 8),
        ("        \ta\n", ["\ta\n"], 8),
        ("        $${{\n", ["${{\n"], 8),
    ],
)
def test_raw_blocks(block: str, meant: list[str], indent: int) -> None:
    one = script(f"    run:\n{block}")
    assert (pieces(one), one.block, one.indent) == (meant, True, indent)


def test_a_block_ends_at_its_dedent() -> None:
    found = parsed(f"{HEADER}target a:\n    run:\n        one\n    run two\ntarget b:\n    run:\n      x")
    assert not found.diagnostics
    assert [type(one).__name__ for one in found.file.decls] == ["Target", "Target"]


def test_write_takes_a_block() -> None:
    one = statement('    write to "/x", mode=0o600:\n        # Title\n        ${{x}}\n')
    assert isinstance(one, tree.Write)
    assert isinstance(one.text, tree.Script)
    assert pieces(one.text) == ["# Title\n", "${{x}}", "\n"]
    assert len(one.options) == 1
