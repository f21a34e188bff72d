"""The targets of the `.pybuild` language: from text to recipe, the formatter, quoting, and what is read beside it."""

from __future__ import annotations

import ast
import marshal

from tests.fuzz import showing
from tests.fuzz.showing import Target, mode_of, text_of
from tests.lang.textual.dump import dump
from tests.lang.textual.expand.programs import BUILDER, Outside
from tests.lang.textual.fmt.laws import meaning
from tests.lang.textual.worlds import PROJECT, World

from pybuild.lang import recipe
from pybuild.lang.diagnostics import Diagnostic, SourceErrors, UserError
from pybuild.lang.quoting.quote import CannotQuote, quote
from pybuild.lang.source import Source
from pybuild.lang.textual import modules, tree
from pybuild.lang.textual.arrange import arranged
from pybuild.lang.textual.check.check import checked
from pybuild.lang.textual.expand import params, selection
from pybuild.lang.textual.expand.expand import expand
from pybuild.lang.textual.expand.options import EVERYTHING, ExpandOptions
from pybuild.lang.textual.fmt import format_source
from pybuild.lang.textual.load import load
from pybuild.lang.textual.parse import Parsed, decode, parse
from pybuild.lang.textual.plain import from_plain, to_plain
from pybuild.language.lock import _entries, lock_text

_NAME = "build.pybuild"
_FILES = dict.fromkeys("src/main.py a b/c pyproject.toml lib/x".split(), "x = 1\n")
_VALUES = ("x", "a b", "$(id)", "'", '"', "`", "\\", "a\nb", "", "*", "-n", "2>&1", "é", "EOF", "}")


def show(diagnostic: Diagnostic) -> None:
    showing.show(diagnostic, points=True)


def _parsed(data: bytes) -> Parsed | None:
    """None if it is no text."""
    try:
        found = parse(decode(_NAME, data))
    except UserError as error:
        show(error.diagnostic)
        return None
    _said(found.diagnostics)
    return found


def _said(diagnostics: tuple[Diagnostic, ...] | list[Diagnostic]) -> None:
    for one in diagnostics:
        assert one.code is not None, one.title
        show(one)


def _program(data: bytes) -> tuple[modules.Program | None, list[Diagnostic]]:
    """The program as far as it goes, and what the static checks say of it."""
    try:
        source = decode(_NAME, data)
    except UserError as error:
        show(error.diagnostic)
        return None, [error.diagnostic]
    world = World({_NAME: source.text, "lib/m.pybuild": 'param p: str = "a"\n', **_FILES})
    loaded = load(world.root(), world)
    found = list(loaded.diagnostics)
    if loaded.program is not None:
        found += checked(loaded.program).diagnostics
    found = arranged(found)
    _said(found)
    return loaded.program, found


def fuzz_language(data: bytes) -> None:
    """The same text gives the same tree, which plain values bring back."""
    found = _parsed(data)
    if found is None:
        return
    again = _parsed(data)
    assert again is not None
    plain = to_plain(found.file)
    assert plain == to_plain(again.file)
    assert to_plain(from_plain(marshal.loads(marshal.dumps(plain)), found.file.source)) == plain


def fuzz_plain(data: bytes) -> None:
    """Plain values, written as Python does: what no tree was made into is refused."""
    try:
        value = ast.literal_eval(text_of(data))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return
    try:
        from_plain(value, Source(_NAME, text_of(data)))
    except ValueError:
        return


def fuzz_check(data: bytes) -> None:
    _program(data)


def fuzz_expand(data: bytes) -> None:
    program, found = _program(data)
    if program is None or any(one.level == "error" for one in found):
        return
    options = ExpandOptions(PROJECT, PROJECT, BUILDER, EVERYTHING, {}, ())
    try:
        made = expand(program, options, Outside())
    except SourceErrors as errors:
        _said(list(errors.diagnostics))
    except UserError as error:
        show(error.diagnostic)
    else:
        _said(list(made.warnings))
        dump(made)


def fuzz_fmt(data: bytes) -> None:
    """A file keeps its meaning, and formatting it again changes nothing."""
    found = _parsed(data)
    if found is None:
        return
    wrong = any(one.level == "error" for one in found.diagnostics)
    try:
        done = format_source(_NAME, data)
    except UserError as error:
        show(error.diagnostic)
        if not wrong:
            raise
        return
    assert not wrong
    assert format_source(_NAME, done.encode()) == done
    assert meaning(done) == meaning(found.file.source.text)


def fuzz_quote(data: bytes) -> None:
    """Pieces of a script between zero bytes, with values between them."""
    first, *rest = text_of(data).split("\0")
    parts: list[str | recipe.Splice] = [first]
    for at, text in enumerate(rest):
        value = _VALUES[(at + len(data)) % len(_VALUES)]
        parts += [recipe.Splice(value), text]
    try:
        script = quote(tuple(parts), shell=("/bin/sh", "-e", "-c"), interpreter=False)
    except CannotQuote:
        return
    assert all(text in script for text in (first, *rest))


def fuzz_lock(data: bytes) -> None:
    try:
        entries = _entries(Source("pybuild.lock", text_of(data)))
    except UserError as error:
        show(error.diagnostic)
        return
    text = lock_text(entries)
    assert _entries(Source("pybuild.lock", text)) == entries
    assert lock_text(entries) == text


_TYPES = (
    "str int bool duration size path ref platform version list[str] list[int] map[str] map[list[bool]] "
    'list[platform] "a"|"b" list["a"|"b"]'
).split()


def fuzz_param(data: bytes) -> None:
    """A value is taken by its type, or refused; what is taken comes back from its text."""
    written = _TYPES[mode_of(data, len(_TYPES))]
    (param,) = parse(Source(_NAME, f"# syntax=pybuild:1\nparam p: {written}\n")).file.decls
    assert isinstance(param, tree.Param)
    text = text_of(data)
    try:
        value = params.from_text(param, recipe.ParamSetting(text, f"-p p={text}"))
    except UserError as error:
        show(error.diagnostic)
        return
    again = params.as_text(value)
    assert params.from_text(param, recipe.ParamSetting(again, "again")) == value


def fuzz_selection(data: bytes) -> None:
    try:
        found = selection.parse(text_of(data))
    except UserError as error:
        show(error.diagnostic)
        return
    assert found.name
    assert len(dict(found.choices)) == len(found.choices)


TARGETS: dict[str, Target] = {
    "language": fuzz_language,
    "plain": fuzz_plain,
    "check": fuzz_check,
    "expand": fuzz_expand,
    "fmt": fuzz_fmt,
    "quote": fuzz_quote,
    "lock": fuzz_lock,
    "param": fuzz_param,
    "selection": fuzz_selection,
}
