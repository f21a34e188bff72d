"""Raw text of `run` and `write`: inserted values must have a text and must be quotable at their place (E0307,
E0308; language spec, section 11). Values that depend on params, and values after raw text, are checked by the
lowering."""

from __future__ import annotations

from pybuild.lang.quoting.places import NOWHERE, SLOT, Kind, Place, Scan
from pybuild.lang.quoting.scanner import examine
from pybuild.lang.quoting.values import Refused, takes_list, written
from pybuild.lang.source import Span
from pybuild.lang.textual import tree
from pybuild.lang.textual.check.expressions import infer
from pybuild.lang.textual.check.literals import check_inserted
from pybuild.lang.textual.check.visit import At
from pybuild.lang.textual.problems import splices as problems
from pybuild.lang.textual.types import ERROR, ListOf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from pybuild.lang.textual.check.checking import Checking
    from pybuild.lang.textual.check.scope import Scope

_FARTHEST: Final = 40


def check_script(script: tree.Script, scope: Scope, checking: Checking, *, run: bool) -> None:
    at = At(scope, checking)
    for part in script.parts:
        if isinstance(part, tree.Interpolation):
            part_type = infer(part.value, scope, checking)
            check_inserted(part.value, part_type, at, lists=run)
    if run:
        for part, place in spliced(script, scanned(script)):
            # Unquoted text can open or close quotes, so later places are unknown.
            if _is_raw(part.value, checking):
                break
            _check_place(part, place, checking)


def scanned(script: tree.Script) -> Scan:
    pieces = [part.value if isinstance(part, tree.ScriptText) else SLOT for part in script.parts]
    first = pieces[0] if pieces else ""
    interpreter = script.block and isinstance(first, str) and first.startswith("#!")
    return examine(pieces, opaque=Kind.INTERPRETER if interpreter else None)


def spliced(script: tree.Script, scan: Scan) -> Iterator[tuple[tree.Interpolation, Place]]:
    """Yield the interpolations of a script with their places."""
    return zip(
        (part for part in script.parts if isinstance(part, tree.Interpolation)), scan.places, strict=True
    )


def _check_place(part: tree.Interpolation, place: Place, checking: Checking) -> None:
    type = checking.types.get(part.value, ERROR)
    if type == ERROR:
        return
    if isinstance(type, ListOf):
        if not takes_list(place):
            checking.report(problems.list_in_place(part.span, _called(place), part.value.span))
        return
    value = checking.constants.get(part.value)
    if isinstance(value, str):
        try:
            written(value, place)
        except Refused as refused:
            problem = problems.unquotable(part.span, place.kind.value, part.value.span, value)
            checking.report(problem if place.kind in NOWHERE else problem.with_note("note", str(refused)))
    elif place.kind in NOWHERE:
        checking.report(problems.unquotable(part.span, place.kind.value, part.value.span))


def _called(place: Place) -> str:
    if place.kind is not Kind.BARE:
        return str(place.kind.value)
    return "a word with other text" if place.glued else "a place for one word"


def _is_raw(expr: tree.Expr, checking: Checking) -> bool:
    """Tell whether a value comes from `raw(…)`, following names."""
    for _ in range(_FARTHEST):
        if isinstance(expr, tree.Call):
            callee = checking.callees.get(expr)
            return callee is not None and callee.name == "raw" and callee.kind == "function"
        binding = checking.bindings.get(expr)
        if isinstance(expr, tree.Parens):
            expr = expr.value
        elif binding is not None and isinstance(binding.node, tree.Let):
            expr = binding.node.value
        else:
            return False
    return False


def position(script: tree.Script, offset: int, length: int) -> Span | None:
    """Return the source span of literal text of a script, by its offset in the scanned text; None for inserted
    text."""
    start = 0
    for part in script.parts:
        size = len(part.value) if isinstance(part, tree.ScriptText) else 1
        if start <= offset < start + size and isinstance(part, tree.ScriptText):
            before = part.value[: offset - start]
            line = before.rpartition("\n")[2]
            number = part.span.line + before.count("\n")
            first = part.span.column if "\n" not in before else 1 + script.indent
            # A `${{` in the value is written `$${{`, one character longer.
            column = first + len(line) + line.count("${{")
            return Span(part.span.source, number, column, number, column + length)
        start += size
    return None
