"""Rules about values that are known without params: owners, modes and ports (E0515), sources and destinations of
copies (E0512, E0513). The expansion checks the others."""

from __future__ import annotations

import re

from pybuild.lang.diagnostics import Edit
from pybuild.lang.textual import ownership, tree
from pybuild.lang.textual.problems import states as problems
from pybuild.lang.textual.problems.excerpt import excerpt
from pybuild.lang.textual.types import ERROR, is_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Final

    from pybuild.lang.textual.check.checking import Checking

_OCTAL: Final = re.compile(r"[1-7][0-7]{2,3}")
_GLOB: Final = re.compile(r"(?<!\\)(?:\\\\)*[*?\[]")

MOST_ID: Final = 2**32 - 2


def owner(expr: tree.Expr, checking: Checking) -> None:
    for value, place in _known(expr, checking):
        if isinstance(value, str) and ownership.OWNER.fullmatch(value) is None:
            checking.report(problems.bad_owner(place.span, value))


def mode(expr: tree.Expr, checking: Checking) -> None:
    for value, place in _known(expr, checking):
        if isinstance(value, str):
            octal = _OCTAL.fullmatch(value.removeprefix("0o").removeprefix("0")) is not None
            if octal or ownership.SYMBOLIC.fullmatch(value) is None:
                number = value.removeprefix("0o").lstrip("0")
                _bad_mode(place, value, f"0o{number}" if octal else "", checking)
        elif isinstance(value, int) and not isinstance(value, bool):
            text = excerpt(place.span) if isinstance(place, tree.Number) else ""
            if _OCTAL.fullmatch(text):
                _bad_mode(place, text, f"0o{text}", checking)
            elif not 0 <= value <= ownership.MOST_MODE:
                _bad_mode(place, text or oct(value), "", checking)


def _bad_mode(place: tree.Expr, text: str, instead: str, checking: Checking) -> None:
    literal = isinstance(place, tree.Number | tree.String)
    checking.report(problems.bad_mode(place.span, text, instead, literal=literal))


def identity(expr: tree.Expr, what: str, checking: Checking) -> None:
    """Check a user or group id."""
    for value, place in _known(expr, checking):
        if isinstance(value, int) and not 0 <= value <= MOST_ID:
            checking.report(problems.bad_number(place.span, what, str(value), f"0 to {MOST_ID}"))


def port(expr: tree.Expr, checking: Checking) -> None:
    for value, place in _known(expr, checking):
        if isinstance(value, bool):
            continue
        text = str(value)
        if ownership.port(text) is None:
            checking.report(problems.bad_port(place.span, text))


def sources(sources: Sequence[tree.Expr], dest: tree.Expr, checking: Checking) -> None:
    """Check the sources and the destination of a `copy` or `output`: several sources, or a pattern, need a
    directory."""
    paths = [one for source in sources for one in _texts(source, checking)]
    for text, place in paths:
        if text is not None and leaves(text):
            checking.report(problems.leaves_root(place.span, text))
    if not _is_file(dest, checking):
        return
    edit = _with_slash(dest)
    if len(paths) > 1:
        checking.report(problems.needs_slash(dest.span, paths[1][1].span, "a second source", edit))
        return
    for text, place in paths:
        if _GLOB.search(text) if text is not None else _has_pattern(place):
            checking.report(problems.needs_slash(dest.span, place.span, "a pattern", edit))


def leaves(path: str) -> bool:
    """Tell whether a path climbs above its root."""
    depth = 0
    for part in path.split("/"):
        if part == "..":
            depth -= 1
            if depth < 0:
                return True
        elif part not in ("", "."):
            depth += 1
    return False


def _texts(source: tree.Expr, checking: Checking) -> Iterator[tuple[str | None, tree.Expr]]:
    """Yield the sources that an expression certainly gives, with None for an unknown path."""
    value = checking.constants.get(source)
    if isinstance(source, tree.List):
        for item in source.items:
            yield from _texts(item, checking)
    elif isinstance(value, tuple):
        yield from ((one, source) for one in value if isinstance(one, str))
    elif isinstance(value, str):
        yield value, source
    elif is_text(checking.types.get(source, ERROR)):
        yield None, source


def _has_pattern(source: tree.Expr) -> bool:
    parts = source.parts if isinstance(source, tree.String) else ()
    return any(isinstance(part, tree.Text) and _GLOB.search(part.value) is not None for part in parts)


def _is_file(dest: tree.Expr, checking: Checking) -> bool:
    """Tell whether a destination certainly doesn't end in `/`."""
    value = checking.constants.get(dest)
    if isinstance(value, str):
        return not value.endswith("/")
    last = dest.parts[-1] if isinstance(dest, tree.String) and dest.parts else None
    return isinstance(last, tree.Text) and not last.value.endswith("/")


def _with_slash(dest: tree.Expr) -> Edit | None:
    text = excerpt(dest.span)
    quote = text[-1:]
    if not isinstance(dest, tree.String) or quote not in ('"', "'") or text.endswith(quote * 3):
        return None
    return Edit(dest.span, f"{text[:-1]}/{quote}")


def _known(expr: tree.Expr, checking: Checking) -> Iterator[tuple[object, tree.Expr]]:
    """Yield the known scalars that an expression can evaluate to, each with its place."""
    stack = [expr]
    while stack:
        current = stack.pop()
        value = checking.constants.get(current)
        if isinstance(current, tree.List):
            stack.extend(reversed(current.items))
        elif isinstance(current, tree.Parens):
            stack.append(current.value)
        elif isinstance(value, tuple):
            for item in value:
                yield item, current
        elif value is not None and not isinstance(value, dict):
            yield value, current
        elif isinstance(current, tree.Ternary):
            stack += (current.otherwise, current.then)
