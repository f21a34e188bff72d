"""Messages about modules: E08xx and W0801."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Edit, Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.lang.source import Span
    from pybuild.lang.textual.modules import NotFound


def not_found(missing: NotFound, span: Span, *, quoted: bool) -> Diagnostic:
    """E0801 to E0804: a library's message about the module named at `span`."""
    notes = [("help", missing.help)] if missing.help else []
    edits = []
    if missing.near:
        text = f'"{missing.near}"' if quoted else missing.near
        notes.append(("help", f"did you mean `{missing.near}`?"))
        edits.append(Edit(span, text))
    labels = [Label(span, missing.label)]
    return Diagnostic(missing.title, code=missing.code, labels=labels, notes=notes, edits=edits)


def spliced(span: Span) -> Diagnostic:
    """E0801: a `use` path that depends on values."""
    return Diagnostic(
        "the path of a `use` is written out",
        code="E0801",
        labels=[Label(span, "depends on values")],
        notes=[("note", "modules are loaded before anything has a value")],
    )


def edition(name: str, reference: str, span: Span, header: Span | None) -> Diagnostic:
    """E0805: a module of another edition, named at `span`."""
    labels = [Label(span, "used here")]
    if header is not None:
        labels.append(Label(header, "the module's header", primary=False))
    written = f"`{reference}`" if reference else "another language"
    return Diagnostic(
        f"`{name}` is written in {written}, not in the edition of this program",
        code="E0805",
        labels=labels,
        notes=[("help", "use a version of the module for this edition, or a newer pybuild")],
    )


def cycle(steps: Sequence[tuple[str, Span]]) -> Diagnostic:
    """E0806: modules that use each other. Each step is a module with the place where it uses the next, the last
    the first."""
    names = [name for name, _ in steps]
    labels = [
        Label(span, f"`{name}` uses `{names[(at + 1) % len(names)]}` here", primary=at == len(steps) - 1)
        for at, (name, span) in enumerate(steps)
        if at >= len(steps) - 4
    ]
    if len(names) == 1:
        title = f"`{names[0]}` uses itself"
    elif len(names) == 2:
        title = f"`{names[0]}` and `{names[1]}` use each other"
    else:
        title = f"{len(names)} modules use each other"
    notes = [("help", "move what both need into a third module")] if len(names) > 1 else []
    if len(names) > 2:
        shown = [*names[:8], "…", *names[-2:]] if len(names) > 12 else names
        notes.insert(0, ("note", " → ".join([*shown, names[0]])))
    return Diagnostic(
        title, code="E0806", labels=sorted(labels, key=lambda one: not one.primary), notes=notes
    )


def moving(span: Span) -> Diagnostic:
    """W0801: a module or git source at a branch."""
    return Diagnostic(
        "this reference is a branch, which moves",
        code="W0801",
        level="warning",
        labels=[Label(span, "what it names can change")],
        notes=[("help", "use a tag or a commit; `pybuild.lock` holds the branch where it is until then")],
    )
