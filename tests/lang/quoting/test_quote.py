"""How values are written (`@@` stands for the value), and which are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lang.quoting.test_places import pieces

from pybuild.lang import recipe
from pybuild.lang.quoting.places import Kind, Slot
from pybuild.lang.quoting.quote import CannotQuote, quote
from pybuild.lang.quoting.shells import is_sh_like

SH = ("/bin/sh", "-e", "-c")
Value = str | tuple[str, ...]


def written(script: str, *values: Value, shell: tuple[str, ...] = SH, interpreter: bool = False) -> str:
    """The script with its values, of which the last is used again and again."""
    left = [*values]
    made = tuple(
        recipe.Splice(left.pop(0) if len(left) > 1 else left[0]) if isinstance(piece, Slot) else piece
        for piece in pieces(script)
    )
    return quote(made, shell=shell, interpreter=interpreter)


def refused(
    script: str, *values: Value, shell: tuple[str, ...] = SH, interpreter: bool = False
) -> CannotQuote:
    with pytest.raises(CannotQuote) as caught:
        written(script, *values, shell=shell, interpreter=interpreter)
    return caught.value


@pytest.mark.parametrize(
    ("script", "value", "text"),
    [
        ("p @@", "plain", "p plain"),
        ("p @@", "a/b:c@1.2+3%-_", "p a/b:c@1.2+3%-_"),
        ("p @@", "", "p ''"),
        ("p @@", "a b", "p 'a b'"),
        ("p @@", "it's", "p 'it'\\''s'"),
        ("p @@", "$(x)", "p '$(x)'"),
        ("p @@", "a\nb", "p 'a\nb'"),
        ("p @@", "-x", "p -x"),
        ("p @@", "if", "p 'if'"),
        ("p @@", "A=b", "p 'A=b'"),
        ("p @@", "~", "p '~'"),
        ("p @@", "%1", "p '%1'"),
        ("p @@>f", "2", "p '2'>f"),
        ("p @@ >f", "2", "p 2 >f"),
        ("@@", "A=b", "'A=b'"),
        ("@@ x", "-x", "'-x' x"),
        (" @@ x", "-x", " -x x"),
        ("@@f x", "i", "'i'f x"),
        ("p @@f x", "i", "p if x"),
        ("p $X@@", "Y", "p $X'Y'"),
        ("p ~@@", "root", "p ~'root'"),
        ("p {1..@@}", "3", "p {1..3}"),
        ("p {@@}", "1..3", "p {'1..3'}"),
        ("p [@@]", "a-z", "p ['a-z']"),
        ("[[ x == @@ ]]", "x", "[[ x == 'x' ]]"),
        ("p >&@@", "2", "p >&2"),
        ("a=(); X=@@", "(x)", "a=(); X='(x)'"),
        ("export X=@@", "(x)", "export X='(x)'"),
        ("local -a x=(@@)", "(x)", "local -a x=('(x)')"),
        ("local x=$(grep -i @@)", "a b", "local x=$(grep -i 'a b')"),
        ("alias x='p '; x @@", "y", "alias x='p '; x 'y'"),
        ('p "@@"', 'a"b$c`d\\e', 'p "a\\"b\\$c\\`d\\\\e"'),
        ('p "@@"', "it's (fine)", "p \"it's (fine)\""),
        ('p "$X@@"', "Y", 'p "$X""Y"'),
        ('p "$X@@"', "/y", 'p "$X/y"'),
        ('p "$X@@y"', "", 'p "$X""y"'),
        ("p '@@'", "it's $X", "p 'it'\\''s $X'"),
        ("p <<E\n@@\nE\n", "\"it's\" $X `y` \\", "p <<E\n\"it's\" \\$X \\`y\\` \\\\\nE\n"),
        ("p <<'E'\n@@\nE\n", "\"it's\" $X `y` \\", "p <<'E'\n\"it's\" $X `y` \\\nE\n"),
        ("p <<E\n$(p @@)\nE\n", "a b", "p <<E\n$(p 'a b')\nE\n"),
        ("p <<E\n@@\nE\n", "EOF", "p <<E\nEOF\nE\n"),
        ("p `x @@`", "plain", "p `x plain`"),
        ("p ${X:-@@}", "a/b-c", "p ${X:-a/b-c}"),
        ("p ${X%@@}", ".gz", "p ${X%.gz}"),
        ("p $((1 + @@))", "-2", "p $((1 + -2))"),
        ("# @@", "plain", "# plain"),
        ("p \"$(p \"@@\")\"", "\"", "p \"$(p \"\\\"\")\""),
    ],
)  # fmt: skip
def test_values_are_written(script: str, value: str, text: str) -> None:
    assert written(script, value) == text


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ((), "p  x"),
        (("a",), "p a x"),
        (("a", "b c", ""), "p a 'b c' '' x"),
        (("if", "-y", "$X"), "p 'if' -y '$X' x"),
    ],
)
def test_lists_are_words(items: tuple[str, ...], text: str) -> None:
    assert written("p @@ x", items) == text


@pytest.mark.parametrize(
    "script",
    [
        *["p a@@", "p @@a", 'p "@@"', "p '@@'", "p --x=@@", "p <<E\n@@\nE", "p <<'E'\n@@\nE", "p `@@`"],
        *["p ${X:-@@}", "p $((@@))", "# @@", "p >@@", "case @@ in x) ;; esac", "case x in @@) ;; esac"],
        *["[[ @@ ]]", "for @@ in x; do :; done", "X=@@", "p $X@@", "p \\@@", "p <<@@\n"],
    ],
)
def test_lists_are_refused_inside_of_words(script: str) -> None:
    assert refused(script, ("a", "b")).code == "E0307"


@pytest.mark.parametrize(
    ("script", "value"),
    [
        *[("p `@@`", "a b"), ("p `@@`", ""), ("p `@@`", "if"), ("p `x @@>f`", "2"), ("p `\\@@`", "x")],
        *[("p ${X:-@@}", "a b"), ("p ${X:-@@}", "}"), ("p ${X@@}", ":-a"), ("p ${X/@@/}", "/a")],
        *[("p $((@@))", "a"), ("p $((@@))", "1+1"), ("p $((@@))", "a[$(x)]"), ("((x=@@))", "y")],
        *[("# @@", "a\nb"), ("# @@", "a b"), ("p $'@@'", "a\\'b"), ('p "${X:-it\'s}" @@', "a b")],
        *[("p \\@@", "a"), ('p "\\@@"', ""), ("p $@@", "a"), ('p "$@@"', "(x)"), ("p <<@@\nx\n", "x")],
        *[("[[ @@ -eq 1 ]]", "x[$(y)]"), ("[[ '@@' -eq 1 ]]", "x[$(y)]"), ("a[@@]=1", "x[$(y)]")],
        *[
            ("p >&@@", "x[$(y)]"),
            ("p >&'@@'", "x[$(y)]"),
            ("p <&@@", "a b"),
            ("PS4=@@", "$(x)"),
            ("PS4='@@'", "$(x)"),
        ],
        *[("declare -i x; x=@@", "x[$(y)]"), ("local -xi x=@@", "x[$(y)]"), ("declare -n x='@@'", "x[$(y)]")],
        *[("declare -a x=@@", "($(y))"), ("a=(); export a=@@", "($(y))"), ('local +x -A x="@@"', "($(y))")],
        *[("p <<E\n@@\nE\n", "E"), ("p <<E\n@@\nE\n", "a\nE\nb"), ("p <<EOF\nEO@@\nEOF\n", "F")],
        *[("p <<'E'\n@@\nE\n", "a\nE"), ("p <<-E\n@@\nE\n", "a\n\tb"), ("p <<-E\n@@\nE\n", "\tb")],
        *[("p <<-E\n@@\nE\n", "a\n\tE"), ("p <<E\nE\\\n@@\n\nE\n", ""), ("p <<''\n@@\n\n", "a\n\nb")],
        *[("p <<''\n@@\n\n", ""), ("x=$(p <<E\n@@\nE\n)", "E;x)"), ("x=$(p <<E\n@@\nE\n)", "a\nEx")],
        *[("p <<E\n$(p @@)\nE\n", "a\nE\nb"), ("p <<E\n$(p '@@')\nE\n", "a\\\nb"), ("p <<E @@\nE\n", "a\nb")],
        *[
            ("p <<E\n$X@@\nE\n", "Y"),
            ("p <<E\n$X@@y\nE\n", ""),
            ("p `x <<EOF\n@@\nEOF\n`", "EOF"),
            ("p @@", "a\0b"),
            ("p @@", "\udc80"),
        ],
    ],
)
def test_values_are_refused(script: str, value: str) -> None:
    error = refused(script, value)
    assert error.code == "E0308"
    assert error.reason


def test_the_splice_at_fault_is_named() -> None:
    error = refused("p <<E\n@@ @@ @@\nE\n", "a", "b\nE\n", "c")
    assert error.splice.value == "b\nE\n"
    assert error.place.kind is Kind.HEREDOC


def test_raw_values_are_script() -> None:
    script = (recipe.Splice("p '", raw=True), recipe.Splice("a'b"), recipe.Splice("' ", raw=True), "\n")
    assert quote(script, shell=SH, interpreter=False) == "p 'a'\\''b' \n"
    with pytest.raises(CannotQuote):
        quote((recipe.Splice("a\0b", raw=True),), shell=SH, interpreter=False)


@pytest.mark.parametrize(
    ("shell", "interpreter"), [(("/bin/zsh", "-c"), False), (("pwsh", "-c"), False), (SH, True)]
)
def test_others_take_plain_words_only(shell: tuple[str, ...], interpreter: bool) -> None:
    script = "#!/usr/bin/env python3\nprint('@@')"
    assert written(script, "a/b", shell=shell, interpreter=interpreter) == script.replace("@@", "a/b")
    assert refused(script, "a b", shell=shell, interpreter=interpreter).code == "E0308"
    assert refused(script, "", shell=shell, interpreter=interpreter).code == "E0308"
    assert refused(script, ("a",), shell=shell, interpreter=interpreter).code == "E0307"


@pytest.mark.parametrize(
    ("shell", "like"),
    [
        (("/bin/sh", "-c"), True),
        (("/bin/sh", "-e", "-c"), True),
        (("/bin/bash", "-euo", "pipefail", "-c"), True),
        (("bash", "-o", "pipefail", "-ec"), True),
        (("bash", "--norc", "-c"), True),
        (("/usr/bin/env", "bash", "-c"), True),
        (("/bin/busybox", "ash", "-c"), True),
        (("/bin/ash", "-exc"), True),
        (("dash", "-c"), True),
        (("mksh", "-c"), True),
        (("ksh", "-c"), True),
        (("/bin/sh",), False),
        (("/bin/sh", "-e"), False),
        (("/bin/sh", "-c", "eval \"$0\""), False),
        (("/bin/sh", "-o"), False),
        (("/bin/sh", "/script", "-c"), False),
        (("bash", "-c", "-o"), False),
        (("zsh", "-c"), False),
        (("fish", "-c"), False),
        (("python3", "-c"), False),
        (("env", "-S", "sh", "-c"), False),
        (("sudo", "sh", "-c"), False),
        (("busybox",), False),
        ((), False),
    ],
)  # fmt: skip
def test_sh_like_shells(shell: tuple[str, ...], like: bool) -> None:
    assert is_sh_like(shell) is like


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_quoted_words_are_read_back(value: str) -> None:
    """What a bare word and single quotes become, undone by the rules of single quotes."""
    for script in ("p @@", "p '@@'"):
        text = written(script, value).removeprefix("p ")
        inside, out, at = False, "", 0
        while at < len(text):
            if text[at] == "'":
                inside = not inside
            elif text[at] == "\\" and not inside:
                at += 1
                out += text[at]
            else:
                out += text[at]
            at += 1
        assert (out, inside) == (value, False)
