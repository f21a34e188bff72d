"""Messages about values once they are known: E0304, E0309, E0515, E0603, E0903."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Edit, Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span


def by_zero(op: str, span: Span) -> Diagnostic:
    """E0304: a division by zero."""
    return Diagnostic(f"`{op}` by zero", code="E0304", labels=[Label(span, "the number on the right is 0")])


def negative(value: object, by: int, span: Span) -> Diagnostic:
    """E0304: a negative duration or size."""
    return Diagnostic(
        f"`{value}` cannot be multiplied by {by}",
        code="E0304",
        labels=[Label(span, "durations and sizes are not negative")],
    )


def no_integer(span: Span, text: str) -> Diagnostic:
    """E0603: a text that isn't an integer."""
    return Diagnostic(
        f'"{text}" is not a whole number' if text else "an empty string is not a number",
        code="E0603",
        labels=[Label(span, "`int` takes decimal digits, perhaps with a sign")],
    )


def empty_separator(span: Span) -> Diagnostic:
    """E0603: an empty separator."""
    return Diagnostic(
        "`split` needs a separator",
        code="E0603",
        labels=[Label(span, "an empty string separates nothing")],
        notes=[("help", 'to split at spaces write `split(" ")`')],
    )


def unfit(span: Span, word: str, what: str, text: str, reason: str, help: str = "") -> Diagnostic:
    """E0603: an argument of `word` that doesn't fit; `what` names the expected value."""
    return Diagnostic(
        f'"{text}" is not {what}' if text else f"`{word}` needs {what}",
        code="E0603",
        labels=[Label(span, reason)],
        notes=[("help", help)] if help else [],
    )


def mode_as_text(span: Span, text: str) -> Diagnostic:
    """E0515: a symbolic mode where only permission bits are allowed."""
    return Diagnostic(
        f'the mode "{text}" is not a number',
        code="E0515",
        labels=[Label(span, "permission bits are needed")],
        notes=[("help", "write it as an octal number, such as `0o755`")],
    )


def bad_checksum(span: Span, text: str, instead: str, *, literal: bool) -> Diagnostic:
    """E0309: a malformed checksum."""
    return Diagnostic(
        f'"{text}" is not a SHA-256 checksum',
        code="E0309",
        labels=[Label(span, "64 hexadecimal digits in small letters are needed")],
        notes=[("help", f'write "{instead}"')] if instead else [],
        edits=[Edit(span, f'"{instead}"')] if instead and literal else [],
    )


def bad_address(span: Span, text: str, what: str, example: str) -> Diagnostic:
    """E0309: a malformed URL of a source."""
    return Diagnostic(
        f'"{text}" is not an address of {what}' if text else f"an address of {what} cannot be empty",
        code="E0309",
        labels=[Label(span, "not an address" if text else "empty")],
        notes=[("help", f'write it such as "{example}"')],
    )


def not_auth(span: Span, word: str, takes: str) -> Diagnostic:
    """E0603: an option of `auth` that isn't a login."""
    return Diagnostic(
        f"`auth` of `{word}` takes {takes}", code="E0603", labels=[Label(span, "says nothing about a login")]
    )


def second_auth(span: Span, word: str, what: str) -> Diagnostic:
    """E0603: two options of one kind in `auth`."""
    return Diagnostic(
        f"`{word}` takes one {what}", code="E0603", labels=[Label(span, "more than one is given here")]
    )


def may_not_read(span: Span, path: str) -> Diagnostic:
    """E0903: files outside the project. `path` is absolute."""
    return Diagnostic(
        f"`{path}` is outside the project",
        code="E0903",
        labels=[Label(span, "reading it must be allowed")],
        notes=[("help", f"run the command with `--allow read={path}`")],
    )


def not_there(span: Span, word: str, path: str, where: str) -> Diagnostic:
    """E0510: a directory or layout that doesn't exist."""
    return Diagnostic(
        f"`{word}` finds no `{path}`", code="E0510", labels=[Label(span, f"nothing of that name {where}")]
    )


def not_on_this_machine(span: Span, word: str, path: str) -> Diagnostic:
    """E0513: a path in a module that isn't a directory on this machine."""
    return Diagnostic(
        f"`{word}` needs a directory on this machine",
        code="E0513",
        labels=[Label(span, f"this module's files are in none, so `{path}` names nothing")],
        notes=[("help", "take the state as a parameter: `src: state`")],
    )
