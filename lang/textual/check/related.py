"""Merging of a module's messages: one mistake, one message.

1. A message about the type of a name, of a function's argument or of its result also shows the declaration.
2. Equal messages about one name become one, with the other places as related ones.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Label
from pybuild.lang.textual import tree
from pybuild.lang.textual.arrange import MOST_ERRORS
from pybuild.lang.textual.check.walk import preorder, statements
from pybuild.lang.textual.problems.excerpt import excerpt
from pybuild.lang.textual.problems.names import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from pybuild.lang.source import Span
    from pybuild.lang.textual.check.checking import Checking

MOST: Final = 3
"""The most related places of a message."""

_TYPES: Final = frozenset({"E0301", "E0302", "E0304", "E0305", "E0309", "E0516"})
"""Codes of messages about a type."""
_NAMES: Final = frozenset({"E0201", "E0204", "E0205"})
"""Codes of messages about the meaning of a name or a member, which their titles contain."""


Place = tuple[int, int, int, int]


def put_together(reported: Sequence[Diagnostic], file: tree.File, checking: Checking) -> list[Diagnostic]:
    """Return the merged messages about a file. `checking` has the bindings of its names."""
    # More errors than that are never shown.
    types = [diagnostic for diagnostic in reported if diagnostic.code in _TYPES][:MOST_ERRORS]
    declared = _declared(file, checking, types) if types else {}
    merged: dict[tuple[object, ...], list[Diagnostic]] = {}
    for at, diagnostic in enumerate(reported):
        key: tuple[object, ...] = (at,)
        if (
            diagnostic.span is not None
            and diagnostic.code in _TYPES
            and (labels := declared.get(_place(diagnostic.span)))
        ):
            diagnostic = _with_labels(diagnostic, labels)
            key = (diagnostic.code, diagnostic.title, diagnostic.labels[0].text, labels[0].span)
        elif diagnostic.span is not None and diagnostic.code in _NAMES:
            key = (diagnostic.code, diagnostic.title, diagnostic.labels[0].text, excerpt(diagnostic.span))
        merged.setdefault(key, []).append(diagnostic)
    return [_merged(same) for same in merged.values()]


def _place(span: Span) -> Place:
    return (span.line, span.column, span.end_line, span.end_column)


def _declared(file: tree.File, checking: Checking, types: Iterable[Diagnostic]) -> dict[Place, list[Label]]:
    """Return, for the places of some messages, labels of the declarations: of a misused name, a parameter, a
    result."""
    labels: dict[Place, list[Label]] = {}
    for diagnostic in types:
        if diagnostic.span is not None and diagnostic.span.source is file.source:
            labels[_place(diagnostic.span)] = []
    for node in preorder(*file.decls):
        if isinstance(node, tree.Call):
            _parameters(node, checking, labels)
        elif isinstance(node, tree.Def) and node.returns is not None:
            for statement in statements(node.body):
                if isinstance(statement, tree.Return):
                    _add(
                        labels,
                        statement.value,
                        Label(node.returns.span, "the type of its result", primary=False),
                    )
        elif isinstance(node, tree.Expr) and _place(node.span) in labels:
            binding = checking.bindings.get(node)
            if binding is not None and binding.kind in KINDS:
                labels[_place(node.span)].append(Label(binding.span, KINDS[binding.kind], primary=False))
    return labels


def _parameters(call: tree.Call, checking: Checking, labels: dict[Place, list[Label]]) -> None:
    """Add the parameters of a def to the labels of arguments with a message."""
    binding = checking.bindings.get(call.function)
    declared = binding.node if binding is not None else None
    if not isinstance(declared, tree.Def):
        return
    names = [parameter.name for parameter in declared.parameters]
    for at, argument in enumerate(call.arguments):
        if argument.name is None:
            matching = names[at : at + 1]
        else:
            matching = [parameter for parameter in names if parameter.name == argument.name.name]
        for name in matching:
            _add(labels, argument.value, Label(name.span, "the parameter", primary=False))


def _add(labels_by_place: dict[Place, list[Label]], value: tree.Expr, label: Label) -> None:
    """Add a label to a value and to its possible results: its arms or items."""
    stack = [value]
    while stack:
        expr = stack.pop()
        if (labels := labels_by_place.get(_place(expr.span))) is not None:
            labels.append(label)
        if isinstance(expr, tree.Parens):
            stack.append(expr.value)
        elif isinstance(expr, tree.Ternary):
            stack += (expr.then, expr.otherwise)
        elif isinstance(expr, tree.List):
            stack += expr.items


def _with_labels(one: Diagnostic, more: Sequence[Label]) -> Diagnostic:
    known = [label.span for label in one.labels]
    fresh = [label for label in more if label.span not in known]
    return one.with_labels((*one.labels, *fresh)[: MOST + 1])


def _merged(same: Sequence[Diagnostic]) -> Diagnostic:
    """Merge messages that differ in their places only."""
    ordered = sorted(
        same, key=lambda diagnostic: _place(diagnostic.span) if diagnostic.span is not None else (0, 0, 0, 0)
    )
    first, others = ordered[0], [diagnostic.span for diagnostic in ordered[1:] if diagnostic.span is not None]
    if not others:
        return first
    free = MOST + 1 - len(first.labels)
    labels = [Label(span, "here too", primary=False) for span in others[:free]]
    edits = [edit for diagnostic in ordered for edit in diagnostic.edits]
    merged = first.with_labels((*first.labels, *labels), edits)
    more = len(others) - len(labels)
    if more > 0:
        merged = merged.with_note("note", f"and in {more} more place{'s' if more > 1 else ''}")
    return merged
