"""Values arrive at programs exactly, through real shells, in every place and in nestings of places."""

from __future__ import annotations

import random

import pytest
from tests.lang.quoting.nesting import Tree, render
from tests.lang.quoting.shell import RANDOMLY, SHELLS, run
from tests.lang.quoting.texts import NASTY, random_text

from pybuild.lang import recipe
from pybuild.lang.quoting.quote import CannotQuote, quote

pytestmark = pytest.mark.long

SH = ("/bin/sh", "-e", "-c")
CASES = 1_600
NESTINGS = 280

PLACES: dict[str, tuple[str, str, list[str]]] = {
    "bare": ("p {n} ", "\n", ["{v}"]),
    "bare, glued": ("p {n} a", "b\n", ["a{v}b"]),
    "bare, after a name": ("p {n} $X", "b\n", ["ex{v}b"]),
    "bare, after a tilde": ("p {n} ~", "b\n", ["~{v}b"]),
    "bare, in braces": ("p {n} {a", "}\n", ["{a{v}}"]),
    "bare, in brackets": ("p {n} [a", "]\n", ["[a{v}]"]),
    "assignment": ("Y=", '\np {n} "$Y"\n', ["{v}"]),
    "assignment before a command": (
        "Y=",
        ' sh -c \'printf "%s\\0" {n} "$Y"; printf "\\001END\\0"\' >&3\n',
        ["{v}"],
    ),
    "double": ('p {n} "', '"\n', ["{v}"]),
    "double, glued": ('p {n} "a b', 'c d"\n', ["a b{v}c d"]),
    "double, after a name": ('p {n} "$X', '"\n', ["ex{v}"]),
    "double, after a digit": ('set -- one\np {n} "$1', '"\n', ["one{v}"]),
    "single": ("p {n} '", "'\n", ["{v}"]),
    "single, after a backslash": ("p {n} '\\", "'\n", ["\\{v}"]),
    "substitution": ("Z=$(p {n} ", ")\n", ["{v}"]),
    "substitution in double": ('Z="$(p {n} ', ')"\n', ["{v}"]),
    "double in substitution in double": ('Z="a$(p {n} "', '")b"\n', ["{v}"]),
    "subshell": ("(p {n} ", ")\n", ["{v}"]),
    "case body": ("case a in a) p {n} ", ";; esac\n", ["{v}"]),
    "case body in substitution": ("Z=$(case a in a) p {n} ", ";; esac)\n", ["{v}"]),
    "case word": ("case ", " in never) ;; *) p {n} x;; esac\n", ["x"]),
    "for": ("for Y in ", '; do p {n} "$Y"; done\n', ["{v}"]),
    "function": ("f() { p {n} ", "; }\nf\n", ["{v}"]),
    "heredoc": ("h {n} <<EOF\n", "\nEOF\n", ["{v}\n"]),
    "heredoc, glued": ("h {n} <<EOF\n$(:)a", "b\nEOF\n", ["a{v}b\n"]),
    "heredoc, tabs": ("h {n} <<-EOF\n\ta", "b\n\tEOF\n", ["a{v}b\n"]),
    "raw heredoc": ("h {n} <<'EOF'\n$X", "`\nEOF\n", ["$X{v}`\n"]),
    "raw heredoc, tabs": ("h {n} <<-\\EOF\n\t", "\n\tEOF\n", ["{v}\n"]),
    "substitution in heredoc": ("h {n}x <<EOF\n$(p {n} ", ")\nEOF\n", ["{v}"]),
    "single in substitution in heredoc": ("h {n}x <<EOF\n$(p {n} 'a", "b')\nEOF\n", ["a{v}b"]),
    "double in substitution in heredoc": ('h {n}x <<EOF\n$(p {n} "', '")\nEOF\n', ["{v}"]),
    "heredoc in substitution": ("Z=$(h {n} <<EOF\n", "\nEOF\n)\n", ["{v}\n"]),
    "raw heredoc in substitution": ("Z=\"$(h {n} <<'EOF'\n", '\nEOF\n)"\n', ["{v}\n"]),
    "after a here-document's operator": ("h {n}x <<EOF; p {n} ", "\nEOF\n", ["{v}"]),
    "parameter": ("p {n} ${NONE:-", "}\n", ["{v}"]),
    "substitution in parameter": ("Z=${NONE:-$(p {n} ", ")}\n", ["{v}"]),
    "substitution in parameter in double": ('Z="${NONE:-$(p {n} ', ')}"\n', ["{v}"]),
    "parameter in double": ('p {n} "${NONE:-', '}"\n', ["{v}"]),
    "backticks": ("p {n} `printf %s ", "`\n", ["{v}"]),
    "pattern": ("case xx in x", "y) p {n} bad;; *) p {n} x;; esac\n", ["x"]),
}


def statement(name: str, number: int, value: str) -> tuple[str, list[str]] | None:
    """A statement that passes a value on from a place, and the words that must arrive; None where it is refused."""
    before, after, words = PLACES[name]
    script = (before.replace("{n}", str(number)), recipe.Splice(value), after.replace("{n}", str(number)))
    try:
        text = quote(script, shell=SH, interpreter=False)
    except CannotQuote:
        return None
    return text, [word.replace("{v}", value) for word in words]


def check(shell: str, statements: list[tuple[str, list[str]]], numbers: list[int]) -> None:
    got, said, code = run(shell, "".join(text for text, _ in statements))
    for number, (text, words) in zip(numbers, statements, strict=True):
        assert got.get(str(number)) == [words], (shell, text, said[-500:])
    assert code == 0, said


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", PLACES)
def test_nasty_values_arrive(name: str, shell: str) -> None:
    made = [(number, statement(name, number, value)) for number, value in enumerate(NASTY)]
    kept = [(number, one) for number, one in made if one is not None]
    check(shell, [one for _, one in kept], [number for number, _ in kept])
    assert len(kept) >= 5


@pytest.mark.parametrize("shell", RANDOMLY)
def test_random_values_arrive(shell: str) -> None:
    chooser = random.Random(f"values {shell}")
    names = [*PLACES]
    statements: list[tuple[str, list[str]]] = []
    numbers: list[int] = []
    number = 0
    while len(statements) < CASES:
        number += 1
        made = statement(names[number % len(names)], number, random_text(chooser))
        if made is not None:
            statements.append(made)
            numbers.append(number)
    check(shell, statements, numbers)


@pytest.mark.parametrize("shell", RANDOMLY)
def test_values_arrive_through_nested_places(shell: str) -> None:
    """Random nestings of everything, several values each, one shell for all."""
    chooser = random.Random(f"nestings {shell}")
    texts, expected, refused = [], [], 0
    for number in range(NESTINGS):
        tree = Tree(chooser, prefix=f"{number}.")
        try:
            texts.append(quote(render(tree), shell=SH, interpreter=False))
            expected.append(tree.expected)
        except CannotQuote:
            refused += 1
    got, said, _ = run(shell, "\n".join(texts))
    for text, words in zip(texts, expected, strict=True):
        for key, group in words.items():
            assert group in got.get(key, []), (shell, text, said[-500:])
    assert refused < 2 * NESTINGS / 3


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_are_arguments_too(shell: str) -> None:
    value = "it's `$HOME` \"\\\n $(touch x)"
    made = statement("bare", 1, value)
    assert made is not None
    assert run(shell, made[0], flag="-c")[0] == {"1": [[value]]}
