"""Warnings about code that is allowed but rarely intended. `# pybuild: allow CODE` on the line above silences one."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Edit, Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybuild.lang.source import Span


def _warning(
    code: str, title: str, labels: Iterable[Label], help: str, edits: Iterable[Edit] = (), note: str = ""
) -> Diagnostic:
    notes = [(word, text) for word, text in (("help", help), ("note", note)) if text]
    return Diagnostic(title, code=code, level="warning", labels=tuple(labels), notes=notes, edits=edits)


def unused(span: Span, what: str, name: str) -> Diagnostic:
    """W0201: an unused name; `what` is its kind."""
    return _warning(
        "W0201", f"the {what} `{name}` is never used", [Label(span, "nothing reads it")], "remove it"
    )


def variable(span: Span, name: str, declared: Span, what: str) -> Diagnostic:
    """W0601: `$name` in a `run` with the name of a param or a `let`."""
    return _warning(
        "W0601",
        f"`${name}` in `run` is not the {what} `{name}`",
        [Label(span, "a variable of the shell"), Label(declared, f"the {what}", primary=False)],
        f"to insert the {what}, write `${{{{{name}}}}}`",
        [Edit(span, f"${{{{{name}}}}}")],
        f"params are no environment: to set a variable, write `env {name} = {name}`",
    )


def lone_cd(span: Span, path: str) -> Diagnostic:
    """W0602: a `run` that only changes the directory; `path` is an expression."""
    return _warning(
        "W0602",
        "this `cd` has no effect",
        [Label(span, "each `run` is a new shell")],
        f"for the statements that follow write `workdir {path}`",
    )


def spaces(span: Span, value: str, name: str) -> Diagnostic:
    """W0603: a value with spaces as the name of a command."""
    words = ", ".join(f'"{word}"' for word in value.split())
    return _warning(
        "W0603",
        f"the command here is one word, `{value}`",
        [Label(span, "has spaces in it, and is not split")],
        f"use a list, `[{words}]`, or splice it unquoted: `${{{{raw({name})}}}}`",
    )


def names_target(span: Span, name: str, target: Span) -> Diagnostic:
    """W0604: an image reference that is also the name of a target."""
    return _warning(
        "W0604",
        f'`"{name}"` is an image, not the target `{name}`',
        [Label(span, "a reference of an image"), Label(target, "a target of that name", primary=False)],
        f"for the target leave out the quotes: `{name}`",
        [Edit(span, name)],
    )


def volatile(span: Span, name: str, later: Span) -> Diagnostic:
    """W0607: a value that changes with every commit before steps that don't need it."""
    return _warning(
        "W0607",
        f"`{name}` changes often, and the steps after it run again each time",
        [Label(span, "in this step's cache key"), Label(later, "runs again with it", primary=False)],
        "move what uses it to the end of the body",
    )


def host_files(span: Span) -> Diagnostic:
    """W0611: files of the building machine in an image."""
    return _warning(
        "W0611",
        "files of this machine become part of the result",
        [Label(span, "another machine has others")],
        "for a result that is the same everywhere start from an image",
    )
