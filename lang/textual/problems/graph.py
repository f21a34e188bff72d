"""Messages about the graph of declarations: E0407, E0701, E0702, E0707."""

from __future__ import annotations

from attrs import frozen

from pybuild.lang.diagnostics import Diagnostic, Edit, Label, suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from pybuild.lang.source import Span
    from pybuild.lang.textual import tree

MOST_PLACES: Final = 4
"""The most labels of one message: a cause and three related places."""

MOST_NAMES: Final = 12


@frozen
class Link:
    """A declaration of a cycle, and the place where it mentions the next one. `relation` is a verb; `through` are
    the names between the two."""

    name: str
    span: Span
    relation: str
    through: tuple[str, ...] = ()


def target_cycle(links: Sequence[Link]) -> Diagnostic:
    """E0701: targets (or groups) that wait for each other, starting with the first."""
    notes = [("help", "move what both need into a third target")] if len(links) > 1 else []
    return _cycle("E0701", links, "targets depend on each other", "depends on itself", notes)


def let_cycle(links: Sequence[Link]) -> Diagnostic:
    """E0702: lets and params whose values depend on each other."""
    return _cycle("E0702", links, "names depend on each other", "depends on itself", [])


def recursion(links: Sequence[Link]) -> Diagnostic:
    """E0407: defs that call each other."""
    notes = [("note", "a function always ends, so it may not call itself, not even by way of others")]
    return _cycle("E0407", links, "functions call each other", "calls itself", notes)


def _cycle(
    code: str, links: Sequence[Link], many: str, alone: str, notes: list[tuple[str, str]]
) -> Diagnostic:
    names = [link.name for link in links]
    if len(names) == 1:
        title = f"`{names[0]}` {alone}"
    elif len(names) == 2:
        title = f"`{names[0]}` and `{names[1]}` {many.split(' ', 1)[1]}"
    else:
        title = f"{len(names)} {many}"
        shown = [*names[: MOST_NAMES - 2], "…", names[-1]] if len(names) > MOST_NAMES else names
        notes = [("note", " → ".join([*shown, names[0]])), *notes]
    labels = [
        Label(link.span, _said(link, names[(at + 1) % len(names)]), primary=at == 0)
        for at, link in enumerate(links[:MOST_PLACES])
    ]
    return Diagnostic(title, code=code, labels=labels, notes=notes)


def _said(link: Link, other: str) -> str:
    to = "itself" if other == link.name else f"`{other}`"
    through = f", through {', '.join(f'`{name}`' for name in link.through[:3])}" if link.through else ""
    return f"`{link.name}` {link.relation} {to} here{through}"


def no_such_target(name: tree.Ident, names: Iterable[str], kind: str = "") -> Diagnostic:
    """E0707: a `default` of a name that is no target or group. `kind` is what it is instead, "" if unknown."""
    near = suggest(name.name, names)
    return Diagnostic(
        f"no target `{name.name}`" if not kind else f"`{name.name}` is {kind}, not a target",
        code="E0707",
        labels=[Label(name.span, "not a target or group of this file")],
        notes=[("help", f"did you mean `{near}`?")] if near else [],
        edits=[Edit(name.span, near)] if near else [],
    )


def second_default(first: Span, second: Span) -> Diagnostic:
    """E0202: two `default` declarations."""
    return Diagnostic(
        "a file has one `default`",
        code="E0202",
        labels=[Label(second, "a second one"), Label(first, "the first one", primary=False)],
        notes=[("help", "name several targets with a group: `group all = [a, b]`")],
    )
