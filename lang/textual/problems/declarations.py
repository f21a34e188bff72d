"""Messages about declarations at the top level."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Edit, Label, suggest
from pybuild.lang.textual.problems.excerpt import listed
from pybuild.lang.textual.problems.names import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.lang.source import Span
    from pybuild.lang.textual.check.scope import Binding
    from pybuild.lang.textual.types import Type


def param_type(span: Span, type: Type) -> Diagnostic:
    """E0301: a param whose values cannot be written as text."""
    return Diagnostic(
        f"a param cannot be a `{type}`",
        code="E0301",
        labels=[Label(span, "no text on the command line says such a value")],
        notes=[("help", "make it a parameter of a `def`")],
    )


def kind_of(binding: Binding) -> str:
    return KINDS.get(binding.kind, "something else")


def unknown_param(name: str, span: Span, module: str, params: Sequence[str]) -> Diagnostic:
    """E0401: a `use … with` of a param that the module doesn't have."""
    near = suggest(name, params)
    if near:
        help = f"did you mean `{near}`?"
    else:
        help = f"it has {listed([f'`{one}`' for one in params], 'and')}" if params else "it has no params"
    return Diagnostic(
        f"`{module}` has no param `{name}`",
        code="E0401",
        labels=[Label(span, "no such param")],
        notes=[("help", help)],
        edits=[Edit(span, near)] if near else [],
    )


def axis_type(span: Span, name: str, type: Type) -> Diagnostic:
    """E0305: an axis with values that can't name an instance."""
    return Diagnostic(
        f"the axis `{name}` cannot have values of type `{type}`",
        code="E0305",
        labels=[Label(span, f"`list[{type}]`")],
        notes=[
            ("help", "axes take strings, numbers and other scalars; look the rest up by them in the body")
        ],
    )
