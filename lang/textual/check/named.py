"""Named arguments of statements and of `use`."""

from __future__ import annotations

from pybuild.lang.textual import tree
from pybuild.lang.textual.problems import calls as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.source import Span


def named_arguments(
    arguments: Iterable[tree.Argument],
    names: Iterable[str],
    owner: str,
    report: Callable[[Diagnostic], None],
    unknown: Callable[[str, Span, str, list[str]], Diagnostic] = problems.unknown_argument,
) -> Iterator[tree.Argument]:
    """Yield the named arguments that are among `names` and not repeated.

    The others are reported: unknown ones with `unknown` (E0401), repeated ones as E0404."""
    known = list(names)
    among = frozenset(known)
    seen: dict[str, tree.Ident] = {}
    for argument in arguments:
        name = argument.name
        if name is None:
            continue
        if name.name not in among:
            report(unknown(name.name, name.span, owner, known))
        elif name.name in seen:
            report(problems.given_twice(name.name, name.span, seen[name.name].span))
        else:
            seen[name.name] = name
            yield argument
