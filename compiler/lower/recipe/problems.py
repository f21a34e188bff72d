"""The errors of the lowering of recipes, one constructor for each."""

from __future__ import annotations

from collections.abc import Iterable

from pybuild.lang.diagnostics import Diagnostic, Label, SourceError, UserError, suggest
from pybuild.lang.recipe import Variable
from pybuild.lang.source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.quoting.quote import CannotQuote


def _error(
    code: str, title: str, span: Span | None, label: str = "", notes: Iterable[tuple[str, str]] = ()
) -> SourceError:
    labels = [Label(span, label)] if span is not None else []
    return SourceError(Diagnostic(title, labels=labels, notes=notes, code=code))


def unset_variable(variable: Variable, names: Iterable[str], span: Span | None) -> SourceError:
    """Return the error for `$NAME` in a value if nothing sets the variable."""
    if variable.text not in (f"${variable.name}", f"${{{variable.name}}}"):
        return _error(
            "E0201",
            f"`{variable.text}` is not the form of a variable",
            variable.span or span,
            "no shell reads this text",
            [("help", "write `$NAME` or `${NAME}`; for a literal dollar sign write `\\$`")],
        )
    near = suggest(variable.name, names)
    help = f"did you mean `${near}`?" if near else f'set it before: env {variable.name} = "…"'
    return _error(
        "E0201",
        f"`{variable.text}` is not set in the image environment",
        variable.span or span,
        "neither the image nor an `env` above sets it",
        [("help", help), ("note", "for a literal dollar sign write `\\$`")],
    )


def owner_without_users(written: str, span: Span | None, *, link: bool) -> SourceError:
    """Return the error for an owner by name if there is no /etc/passwd; `written` is the text that names the
    owner."""
    return _error(
        "E0515",
        f"{written} names nobody: "
        + ("`link=true` copies onto nothing" if link else "there are no files below"),
        span,
        "there is no /etc/passwd to look it up in",
        [("help", 'give the numbers of user and group, such as "1000:1000"')],
    )


def unpacks_many(pattern: str, span: Span | None) -> SourceError:
    """Return the error for `unpack` with a pattern that crosses directories."""
    return _error(
        "E0309",
        "`unpack` takes no pattern with `**`",
        span,
        "archives are found in one directory",
        [("help", f"name the directories: `{pattern.replace('**', '*')}`")],
    )


def mount_at_root(target: str, span: Span | None) -> SourceError:
    return _error(
        "E0514",
        f"nothing can be mounted at `{target or '.'}`, the root directory",
        span,
        notes=[("help", "name the directory to mount at")],
    )


def unquotable(error: CannotQuote) -> SourceError:
    """Return the error for a value in a script that can't be quoted at its place."""
    from pybuild.lang.textual.problems import splices

    place, span, value = error.place.kind.value, error.splice.span, error.splice.value
    if span is None:
        return _error(error.code, f"a value cannot be quoted in {place}", None)
    if isinstance(value, tuple):
        problem = splices.list_in_place(span, place, _inside(span))
    else:
        problem = splices.unquotable(span, place, _inside(span), value)
    if "\0" in value:
        problem = problem.without("help")
    return SourceError(problem.with_note("note", error.reason) if error.reason else problem)


def _inside(span: Span) -> Span:
    """Return the span of the expression between `${{` and `}}`."""
    if span.line != span.end_line:
        return span
    text = span.source.line(span.line)[span.column + 2 : span.end_column - 3]
    start = span.column + 3 + len(text) - len(text.lstrip())
    return Span(span.source, span.line, start, span.line, start + len(text.strip()))


def placed(error: UserError, span: Span | None, label: str = "needed here") -> UserError:
    """Return the error with a label at `span`, unless it has a label already."""
    bare = error.diagnostic
    if span is not None and not bare.labels:
        error.diagnostic = Diagnostic(
            bare.title,
            labels=[Label(span, label)],
            notes=bare.notes,
            code=bare.code,
            level=bare.level,
            url=bare.url,
        )
    return error
