"""Messages about values in scripts: E0307, E0308."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Label
from pybuild.lang.textual.problems.excerpt import excerpt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span


_EVALUATED = ("arithmetic", "an array subscript")
"""Places whose text a shell evaluates, even from a variable."""


def list_in_place(span: Span, place: str, value: Span) -> Diagnostic:
    """E0307: a list in the place of one text. `place` is its name in messages, `value` the expression."""
    text = excerpt(value)
    join = f'`${{{{" ".join({text})}}}}`' if text else '`" ".join(…)`'
    return Diagnostic(
        f"a list cannot be inserted into {place}",
        code="E0307",
        labels=[Label(span, "each item would be a word of its own")],
        notes=[("help", f"let it stand by itself, outside of quotes, or make one text of it: {join}")],
    )


def unquotable(span: Span, place: str, value: Span, shown: str = "") -> Diagnostic:
    """E0308: a value that can't be quoted in this place. `shown` is the value, if it is known."""
    text = excerpt(value)
    what = f"`{shown}`" if shown else "a value"
    nowhere = place.startswith("the ")
    evaluated = place in _EVALUATED
    help = f"pass it as a variable: `with env(X={text or '…'}):`, and write `$X` in the script"
    label = "only a plain word could stand here" if shown else "no value can stand here"
    if nowhere:
        help, label = "put it where a word or text in quotes can stand", "no value can stand here"
    if evaluated:
        # A variable is no help: the shell evaluates its value too.
        help, label = (
            "compute it outside of the script, or put a number there",
            "the shell evaluates this text",
        )
    return Diagnostic(
        f"{what} cannot be {place}" if nowhere else f"{what} cannot be quoted in {place}",
        code="E0308",
        labels=[Label(span, label)],
        notes=[("help", help)],
    )
