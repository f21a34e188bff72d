"""Messages about files that are read at compile time, and their contents: E0306, E0309, E0510, E0513."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Edit, Label
from pybuild.lang.textual.problems.excerpt import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.lang.source import Span


def missing(span: Span, word: str, near: str, module: str, *, literal: bool) -> Diagnostic:
    """E0510: a missing file. `word` is the function or source that reads it, `module` the name of the build file."""
    return Diagnostic(
        f"`{word}` finds no file",
        code="E0510",
        labels=[Label(span, f"no such file beside {module}")],
        notes=[("help", f"did you mean `{near}`?")] if near else [],
        edits=[Edit(span, f'"{near}"')] if near and literal else [],
    )


def no_file(span: Span, word: str, path: str, kind: str) -> Diagnostic:
    """E0510: a directory, a socket or the like in place of a file."""
    what = "is a directory" if kind == "dir" else "is no regular file"
    return Diagnostic(f"`{path}` {what}", code="E0510", labels=[Label(span, f"`{word}` reads files")])


def unreadable(span: Span, word: str, path: str, reason: str) -> Diagnostic:
    """E0510: an existing file that can't be read."""
    return Diagnostic(f"`{word}` cannot read `{path}`", code="E0510", labels=[Label(span, reason)])


def leaves(span: Span, word: str, path: str) -> Diagnostic:
    """E0513: a path that leaves the module's directory."""
    reason = "absolute" if path.startswith("/") else "`..` goes above the directory of this file"
    return Diagnostic(
        f"`{word}` sees only files beside this one and below",
        code="E0513",
        labels=[Label(span, reason)],
        notes=[("help", "name a file relative to this one's directory, without leaving it")],
    )


def not_text(span: Span, path: str, offset: int) -> Diagnostic:
    """E0306: a file that isn't text."""
    return Diagnostic(
        f"`{path}` is not UTF-8 text",
        code="E0306",
        labels=[Label(span, f"byte {offset} is not UTF-8")],
        notes=[("help", "to put the file into the image, `copy` it")],
    )


def malformed(span: Span, path: str, language: str, reason: str) -> Diagnostic:
    """E0306: a malformed file."""
    return Diagnostic(f"`{path}` is not {language}", code="E0306", labels=[Label(span, reason)])


def bad_key(span: Span, key: str) -> Diagnostic:
    """E0306: a malformed dotted key."""
    return Diagnostic(
        f'"{key}" is no dotted key' if key else "a key cannot be empty",
        code="E0306",
        labels=[Label(span, "names with dots between them")],
        notes=[("help", 'write it such as "project.version"; quote a name with a dot in it: \'tool."a.b"\'')],
    )


def no_such_key(span: Span, name: str, before: str, path: str, near: str, names: Sequence[str]) -> Diagnostic:
    """E0306: a missing key. `before` is the part of the key that exists, `names` are the keys at that point."""
    where = f"`{before}` of `{path}`" if before else f"`{path}`"
    notes = [("help", f"did you mean `{near}`?")] if near else []
    if not near and names:
        notes = [("help", f"there is {listed([f'`{one}`' for one in names], 'and')}")]
    return Diagnostic(
        f"no key `{name}` in {where}", code="E0306", labels=[Label(span, "no such key")], notes=notes
    )


def no_scalar(span: Span, key: str, kind: str) -> Diagnostic:
    """E0306: a key whose value isn't a scalar."""
    return Diagnostic(
        f"`{key}` is {kind}",
        code="E0306",
        labels=[Label(span, "a text, a number or a boolean is needed")],
        notes=[("help", f'name one of what is in it: "{key}.…"')] if kind != "null" else [],
    )


def bad_pattern(span: Span, pattern: str, reason: str) -> Diagnostic:
    """E0309: a malformed path pattern."""
    return Diagnostic(
        f'"{pattern}" is not a pattern',
        code="E0309",
        labels=[Label(span, reason)],
        notes=[("help", r"a backslash makes `*`, `?`, `[` and `\` plain characters")],
    )
