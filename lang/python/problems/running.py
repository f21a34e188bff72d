"""Errors while a build module runs: exceptions of its code, and statements in the wrong place."""

from __future__ import annotations

from types import ModuleType

from pybuild.lang.diagnostics import Diagnostic, Label, suggest
from pybuild.lang.textual.problems import calls, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pybuild.lang.source import Span


def raised(
    title: str, span: Span | None, ways: Sequence[Span], help: str = "", causes: Sequence[str] = ()
) -> Diagnostic:
    """E1001: the module ended with an exception at `span`.

    `ways` are the user's calls that led there, the outermost first; `causes` are further facts about the exception.
    """
    labels = [] if span is None else [Label(span)]
    labels += [Label(one, "called from here", primary=False) for one in ways]
    notes = [("note", one) for one in causes]
    return Diagnostic(title, code="E1001", labels=labels, notes=[*notes, *([("help", help)] if help else [])])


def unknown_name(name: str, owner: object, span: Span) -> Diagnostic | None:
    """E0112, E0205: a statement or a name that the API doesn't have; None for an object outside of the API."""
    from pybuild.lang.python.builder import StateBuilder

    if isinstance(owner, StateBuilder):
        near = _nearest(name, [one for one in dir(owner) if not one.startswith("_")])
        return calls.unknown_statement(name, span, near)
    if isinstance(owner, ModuleType) and owner.__name__ == "pybuild":
        near = _nearest(name, dir(owner))
        return names.unknown_member(name, span, "pybuild", [near] if near else [])
    return None


def _nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the name that is likely meant: statements and functions begin with small letters, types with
    capitals."""
    alike = [one for one in known if one[:1].isupper() == name[:1].isupper()]
    return suggest(name, alike)


def changed_since(name: str, declared: Span, target: str) -> Diagnostic:
    """E1002: a body reads a variable whose value a loop has changed since the body was declared."""
    return Diagnostic(
        f"`{name}` has changed since `{target}` was declared",
        code="E1002",
        labels=[Label(declared, "the body runs when the module has ended, and reads the last value")],
        notes=[
            (
                "help",
                f'declare one target with `axes={{"{name}": […]}}`, or bind the value: `def f(t, {name}={name})`',
            )
        ],
    )


def frozen(span: Span, kind: str) -> Diagnostic:
    """E1003: a change of a value that other targets share."""
    return Diagnostic(
        f"this {kind} belongs to the build and cannot be changed",
        code="E1003",
        labels=[Label(span, "other targets would see the change, or not")],
        notes=[("help", f"change a copy: `{kind}(…)`")],
    )


def not_recording(span: Span, name: str) -> Diagnostic:
    """E1004: a declaration while no build module runs."""
    return Diagnostic(
        f"`pb.{name}` stands in a build module",
        code="E1004",
        labels=[Label(span, "no build module is running here")],
        notes=[("help", "call it at the top level of the module, or while its bodies run")],
    )


def ended(span: Span, name: str) -> Diagnostic:
    """E1004: a statement after the end of its body."""
    return Diagnostic(
        f"the body of `{name}` has ended",
        code="E1004",
        labels=[Label(span, "no statement can be added any more")],
        notes=[("help", "give each function the `t` that its caller got, and don't keep it")],
    )


def not_entered(span: Span) -> Diagnostic:
    """E0406: run options without a block."""
    return Diagnostic(
        "these run options have no block",
        code="E0406",
        labels=[Label(span, "changes nothing")],
        notes=[("help", "write `with t.using(…):` around the runs that need them")],
    )


def endless(span: Span, name: str, most: int) -> Diagnostic:
    """E0407: state functions whose calls don't end."""
    return Diagnostic(
        f"`{name}` is called by more than {most} state functions, one in the other",
        code="E0407",
        labels=[Label(span, "calls itself, by way of others perhaps")],
        notes=[
            (
                "help",
                "a state function that calls itself needs an end, such as a condition",
            )
        ],
    )


def elsewhere(span: Span, name: str) -> Diagnostic:
    """E1004: `t.this` of one body in another body."""
    return Diagnostic(
        f"this is a state of the body of `{name}`, which cannot be used in another one",
        code="E1004",
        labels=[Label(span, "`t.this` is known in its own body only")],
        notes=[
            ("help", "give a target, or what a state function makes; a step works on the state of its caller")
        ],
    )


def returns(span: Span, name: str) -> Diagnostic:
    """E0111: a target whose function returns a state."""
    return Diagnostic(
        f"`{name}` returns a state: a target is the one that its statements make",
        code="E0111",
        labels=[Label(span)],
        notes=[("help", "begin with it, `t.from_(state)`, or make a state function of it with `@pb.state`")],
    )


def too_late(span: Span) -> Diagnostic:
    """E1004: a declaration in a body."""
    return Diagnostic(
        "declarations stand outside of bodies",
        code="E1004",
        labels=[Label(span, "the module has ended: what there is to build is known")],
        notes=[("help", "declare it at the top level of the module")],
    )
