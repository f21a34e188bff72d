"""Messages about the statements of a body: E0111, E0408, E0501, E0502, E0517, and nested blocks (E0703)."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Label
from pybuild.lang.textual import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span


def described(decl: tree.Target | tree.Def) -> str:
    """Return a declaration as messages name it: ``target `a` ``, ``step `f` ``, ``function `f` ``."""
    noun = decl.kind if isinstance(decl, tree.Target) else "step" if decl.returns is None else "function"
    return f"{noun} `{decl.name.name}`"


def not_allowed(word: str, span: Span, decl: tree.Target | tree.Def, why: str, help: str = "") -> Diagnostic:
    """E0111: a statement in a body of the wrong kind. `word` is "" for a call."""
    what = f"`{word}`" if word else "a call of a step"
    return Diagnostic(
        f"{what} cannot stand here in {described(decl)}",
        code="E0111",
        labels=[
            Label(span, why),
            Label(decl.name.span, f"the {described(decl).split(' ')[0]}", primary=False),
        ],
        notes=[("help", help)] if help else [],
    )


def after_return(span: Span) -> Diagnostic:
    """E0111: an unreachable statement."""
    return Diagnostic(
        "nothing gets past `return`",
        code="E0111",
        labels=[Label(span, "stands after a `return` on every path")],
    )


def no_return(decl: tree.Target | tree.Def, skips: Span | None) -> Diagnostic:
    """E0408: a function with a reachable end."""
    labels = [Label(decl.name.span, "its end can be reached" if skips else "no `return`")]
    if skips is not None:
        labels.append(Label(skips, "not every branch returns", primary=False))
    return Diagnostic(
        f"{described(decl)} does not return a value on every path",
        code="E0408",
        labels=labels,
        notes=[("help", "end it with `return VALUE`")],
    )


def no_from(
    decl: tree.Target | tree.Def, span: Span, before: str, skips: Span | None, first: Span | None
) -> Diagnostic:
    """E0501: no state at `span`. `before` is the word there, "" for the body's end. With `skips`, one branch of
    that has started a state, at `first`."""
    if skips is not None:
        title = f"{described(decl)} does not start with `from` on every path"
        label = "there may be no state here yet"
    elif before:
        title = f"{described(decl)} does not start with `from`"
        label = "there is no state here yet"
    else:
        title = f"{described(decl)} has no `from`"
        label = "starts from nothing"
    labels = [Label(span, label)]
    if skips is not None:
        labels.append(Label(skips, "not every branch has a `from`", primary=False))
    if first is not None:
        labels.append(Label(first, "one branch starts here", primary=False))
    return Diagnostic(
        title,
        code="E0501",
        labels=labels,
        notes=[("help", 'begin with `from "IMAGE"`, or with `from scratch` for an empty file system')],
    )


def second_from(span: Span, first: Span | None, skips: Span | None) -> Diagnostic:
    """E0502: a second `from` on some path."""
    labels = [Label(span, "a second one" if skips is None else "a second one on some path")]
    if first is not None:
        labels.append(Label(first, "the first one", primary=False))
    return Diagnostic(
        "a body starts with `from` once",
        code="E0502",
        labels=labels,
        notes=[("help", 'for files of another state write `copy "PATH" from STATE to "PATH"`')],
    )


def no_shell(span: Span, base: Span) -> Diagnostic:
    """E0517: a `run` on an empty file system."""
    return Diagnostic(
        "`run` needs a shell, and this file system is empty",
        code="E0517",
        labels=[
            Label(span, "there is no /bin/sh"),
            Label(base, "nothing has been put in since", primary=False),
        ],
        notes=[("help", 'run it in another target and take its files: `copy "PATH" from TARGET to "PATH"`')],
    )


def too_deep(span: Span, most: int) -> Diagnostic:
    """E0703: blocks nested too deeply."""
    return Diagnostic(
        f"blocks are nested more than {most} deep",
        code="E0703",
        labels=[Label(span, "too deep")],
        notes=[("help", "move the inner blocks into a step: `def NAME():`")],
    )
