"""Messages about states and statements that change them: E0510 to E0516."""

from __future__ import annotations

import posixpath

from pybuild.lang.diagnostics import Diagnostic, Edit, Label
from pybuild.lang.source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def matches_nothing(span: Span, where: str, label: str, near: str | None) -> Diagnostic:
    """E0510: a source without a match. `where` is `the context` or the like, `near` a path that may be meant."""
    return Diagnostic(
        f"`copy` matches nothing in {where}",
        code="E0510",
        labels=[Label(span, label)],
        notes=[("help", f"did you mean `{near}`?")] if near else [],
        edits=[Edit(span, f'"{near}"')] if near else [],
    )


def hidden(span: Span, path: str, pattern: str, place: Span | None) -> Diagnostic:
    """E0511: a source that an ignore pattern hides. `place` is the pattern's, None for one in .dockerignore."""
    labels = [Label(span, "left out of the context")]
    if place is not None:
        labels.append(Label(place, "this pattern matches it", primary=False))
    notes = [("note", f"`{pattern}` in .dockerignore matches it")] if place is None else []
    help = f"except it with the pattern `!{path}` after that one"
    return Diagnostic(f"`{path}` is ignored", code="E0511", labels=labels, notes=[*notes, ("help", help)])


def needs_slash(dest: Span, source: Span, why: str, edit: Edit | None) -> Diagnostic:
    """E0512: several sources or a pattern, with a destination that isn't a directory. `why` describes `source`."""
    return Diagnostic(
        "the destination must end in `/`",
        code="E0512",
        labels=[Label(dest, "names one file or directory"), Label(source, why, primary=False)],
        notes=[("help", f"write `{edit.text}`")] if edit else [],
        edits=[edit] if edit else [],
    )


def leaves_root(span: Span, path: str) -> Diagnostic:
    """E0513: a source path that leaves its state."""
    return Diagnostic(
        f"`{path}` leaves the root of what it is copied from",
        code="E0513",
        labels=[Label(span, "`..` goes above the root")],
        notes=[("help", "name a path below the root; for other files pass their state")],
    )


def two_mounts(span: Span, other: Span, path: str) -> Diagnostic:
    """E0514: two mounts of one `with` on one path."""
    return Diagnostic(
        f"two mounts on `{path}`",
        code="E0514",
        labels=[Label(span, "mounted again"), Label(other, "mounted here already", primary=False)],
        notes=[("help", "in nested `with` blocks the inner mount wins")],
    )


def bad_mount_path(span: Span, path: str, *, literal: bool) -> Diagnostic:
    """E0514: an empty or relative mount point, or the root."""
    if not path:
        return Diagnostic("a mount needs a path", code="E0514", labels=[Label(span, "empty")], notes=[])
    if path.startswith("/"):
        return Diagnostic(
            f"nothing can be mounted on `{path}`",
            code="E0514",
            labels=[Label(span, "this is the root file system")],
            notes=[("help", "mount it on a directory below")],
        )
    absolute = f'"{posixpath.normpath(f"/{path}")}"'
    return Diagnostic(
        f"the mount point `{path}` is relative",
        code="E0514",
        labels=[Label(span, "mount points start with `/`")],
        notes=[("help", f"write `{absolute}`")],
        edits=[Edit(span, absolute)] if literal else [],
    )


def secret_twice(span: Span, other: Span) -> Diagnostic:
    """E0514: a secret with both `at` and `env`."""
    return Diagnostic(
        "a secret is a file or a variable, not both",
        code="E0514",
        labels=[Label(span, "a variable"), Label(other, "a file", primary=False)],
        notes=[("help", "leave out `at` or `env`; two `secret(…)` may have the same id")],
    )


def bad_port(span: Span, text: str) -> Diagnostic:
    """E0515: a malformed port."""
    return Diagnostic(
        f"`{text}` is not a port",
        code="E0515",
        labels=[Label(span, "1 to 65535, perhaps with `/tcp` or `/udp`")],
        notes=[("help", 'write a number, or a string such as `"53/udp"`')],
    )


def bad_mode(span: Span, text: str, instead: str, *, literal: bool) -> Diagnostic:
    """E0515: a malformed file mode. `instead` may be meant; it replaces a `literal`."""
    shown = instead or "0o755"
    help = f"write `{shown}`" if instead else 'write `0o755`, or a symbolic mode such as `"u+x"`'
    return Diagnostic(
        f"`{text}` is not a file mode",
        code="E0515",
        labels=[Label(span, "modes are octal numbers" if instead else "permission bits, or a symbolic mode")],
        notes=[("help", help)],
        edits=[Edit(span, instead)] if instead and literal else [],
    )


def bad_owner(span: Span, text: str) -> Diagnostic:
    """E0515: a malformed owner."""
    return Diagnostic(
        f"`{text}` is not an owner",
        code="E0515",
        labels=[Label(span, "a user, or a user and a group")],
        notes=[("help", 'write `"USER"` or `"USER:GROUP"`, names or numbers')],
    )


def bad_number(span: Span, what: str, text: str, range: str) -> Diagnostic:
    """E0515: a number out of range, such as a user id."""
    return Diagnostic(f"`{text}` is not a {what}", code="E0515", labels=[Label(span, range)])


def list_expected(span: Span, word: str, written: str | None) -> Diagnostic:
    """E0516: a string in place of a command list. `written` is its source text."""
    if word == "shell":
        return _shell_expected(span, written)
    fixed = f'["/bin/sh", "-c", {written}]' if written else None
    shown = fixed or '["/bin/sh", "-c", …]'
    return Diagnostic(
        f"`{word}` takes a list",
        code="E0516",
        labels=[Label(span, "a single string")],
        notes=[
            ("help", f"for a shell command write `{word} {shown}`"),
            ("note", "the items are the program and its arguments; no shell splits a string"),
        ],
        edits=[Edit(span, fixed)] if fixed else [],
    )


def _shell_expected(span: Span, written: str | None) -> Diagnostic:
    """E0516: a shell that isn't a list."""
    fixed = f'[{written}, "-c"]' if written else None
    return Diagnostic(
        "`shell` takes a list",
        code="E0516",
        labels=[Label(span, "a single string")],
        notes=[
            ("help", f'write `shell {fixed or """["/bin/bash", "-e", "-c"]"""}`'),
            ("note", "the items are the program and its arguments, before the script of each `run`"),
        ],
        edits=[Edit(span, fixed)] if fixed else [],
    )


def no_words(span: Span, word: str) -> Diagnostic:
    """E0516: an empty list in place of a command."""
    help = 'write `healthcheck "none"` for no check' if word == "healthcheck" else "name the program first"
    return Diagnostic(
        f"`{word}` needs a program",
        code="E0516",
        labels=[Label(span, "an empty list")],
        notes=[("help", help)],
    )


def no_variable(span: Span, name: str) -> Diagnostic:
    """E0603: a key of a map that can't name an environment variable."""
    return Diagnostic(
        f'"{name}" is not a variable\'s name',
        code="E0603",
        labels=[Label(span, "has `=` or NUL in it" if name else "has an empty key")],
    )


def file_in_directory(span: Span, path: str) -> Diagnostic:
    """E0309: a file destination that ends like a directory."""
    return Diagnostic(
        f'"{path}" is not the path of a file',
        code="E0309",
        labels=[Label(span, "ends in `/`, so it names a directory")],
        notes=[("help", "add the name of the file")],
    )


def words_for_list(first: Span, last: Span, word: str, written: Sequence[str]) -> Diagnostic:
    """E0516: the words of a command without a list. `written` are their source texts."""
    span = Span(first.source, first.line, first.column, last.end_line, last.end_column)
    fixed = f"[{', '.join(written)}]" if all(written) else ""
    return Diagnostic(
        f"`{word}` takes a list",
        code="E0516",
        labels=[Label(span, "separate values")],
        notes=[("help", f"write `{word} {fixed or '[…]'}`")],
        edits=[Edit(span, fixed)] if fixed else [],
    )
