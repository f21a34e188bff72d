"""Errors in the declarations of a build module."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Label
from pybuild.lang.textual.builtins import HARD_KEYWORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pybuild.lang.source import Span


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def not_a_list(span: Span, axis: str, type: str) -> Diagnostic:
    """E0301: the values of an axis are no list."""
    return Diagnostic(
        f"the axis `{axis}` takes a list of values, not a {type}",
        code="E0301",
        labels=[Label(span)],
        notes=[("help", f'write `axes={{"{axis}": […]}}`')],
    )


def not_axes(span: Span, type: str) -> Diagnostic:
    """E0301: axes are no dict."""
    return Diagnostic(
        f"axes are a dict of lists, not a {type}",
        code="E0301",
        labels=[Label(span)],
        notes=[("help", 'write `axes={"name": […]}`')],
    )


def not_a_target(span: Span, type: str) -> Diagnostic:
    """E0707: a default is no target."""
    return Diagnostic(
        f"a default is a target or a group, not a {type}",
        code="E0707",
        labels=[Label(span)],
        notes=[("help", "pass the decorated function itself")],
    )


def bad_name(span: Span, name: str) -> Diagnostic:
    """E0203: a name that the command line and the language could not write."""
    why = "is a word of the language" if name in HARD_KEYWORDS else "is no name"
    return Diagnostic(
        f"`{name}` {why}",
        code="E0203",
        labels=[Label(span, "cannot be a name")],
        notes=[
            ("help", "names have letters of ASCII, digits and `_`; the command line also takes `-` for `_`")
        ],
    )


def python_module(span: Span, module: str) -> Diagnostic:
    """E0801: a Python file in place of a module of the language."""
    return Diagnostic(
        f"`{module}` is a Python file, not a module of the language",
        code="E0801",
        labels=[Label(span)],
        notes=[("help", "import it: a project file beside the build module is found by its name")],
    )


def bad_type(span: Span, shown: str) -> Diagnostic:
    """E0201: a param of a type that the language doesn't have."""
    return Diagnostic(
        f"a param cannot be of the type {shown}",
        code="E0201",
        labels=[Label(span)],
        notes=[
            (
                "help",
                "types are str, int, bool, pb.Path, pb.Ref, pb.Platform, pb.Version, pb.Size, pb.Duration, and lists "
                "and dicts of them",
            )
        ],
    )


def bad_parameters(
    span: Span, name: str, missing: Sequence[str], extra: Sequence[str], kind: str
) -> Diagnostic:
    """E0402: a function whose parameters are not `t` and the axes."""
    facts = []
    if missing:
        facts.append(f"has no parameter {_listed(missing)}")
    if extra:
        facts.append(f"has {_listed(extra)}, which nothing gives a value")
    return Diagnostic(
        f"the function `{name}` {' and '.join(facts)}",
        code="E0402",
        labels=[Label(span, f"called with `t` and the axes of the {kind}")],
        notes=[("help", f"write `def {name}(t, …)` with a parameter for each axis")],
    )


def no_body(span: Span, name: str, what: str) -> Diagnostic:
    """E1001: a function that can't be a body."""
    return Diagnostic(
        f"`{name}` is {what}, which cannot be a body",
        code="E1001",
        labels=[Label(span)],
        notes=[("help", "write an ordinary function")],
    )


def once_only(span: Span, name: str) -> Diagnostic:
    """E0706: a call of a target with positional arguments."""
    return Diagnostic(
        f"`{name}` is a target: it is called with axes by name",
        code="E0706",
        labels=[Label(span)],
        notes=[("help", f'write `{name}` for its only instance, or `{name}(axis="value")`')],
    )


def bad_choices(span: Span) -> Diagnostic:
    """E0301: choices that are no texts."""
    return Diagnostic(
        "choices are strings, of a param of the type str",
        code="E0301",
        labels=[Label(span)],
        notes=[("help", "leave out `choices`, and say what may be with `pb.check`")],
    )
