"""Messages about restrictions by origin: E0902, E0904."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span


def capability(span: Span, what: str) -> Diagnostic:
    """E0902: a capability used in a module from outside the project."""
    return Diagnostic(
        f"`{what}` cannot be used in a module from outside the project",
        code="E0902",
        labels=[Label(span, "a capability of the project that builds")],
        notes=[
            ("help", "take it as a parameter of type `option` or `list[option]`, and leave it to the caller")
        ],
    )


def user_cache(span: Span) -> Diagnostic:
    """E0902: a cache shared by all projects in a foreign module."""
    return Diagnostic(
        "a foreign module cannot use a cache that all projects share",
        code="E0902",
        labels=[Label(span, "shared by all projects")],
        notes=[("help", "leave out `scope`, or take the cache as a parameter of type `option`")],
    )


def root_only(span: Span, what: str) -> Diagnostic:
    """E0902: a source that is for the root file only."""
    return Diagnostic(
        f"`{what}` can be used in the root file only",
        code="E0902",
        labels=[Label(span, "this file is used by another")],
        notes=[("help", "take it as a parameter of type `state`, and pass it from the root file")],
    )


def empties_sources(span: Span, path: str) -> Diagnostic:
    """E0904: an output with `clean=true` that would delete sources of the build."""
    return Diagnostic(
        f"`clean=true` would empty `{path}`, where the build file is",
        code="E0904",
        labels=[Label(span, "holds the build file")],
        notes=[("help", "write to a directory of the output's own")],
    )


def output_leaves(span: Span, path: str) -> Diagnostic:
    """E0904: an output outside the project."""
    return Diagnostic(
        f"the output `{path}` is outside the project",
        code="E0904",
        labels=[Label(span, "leaves the project")],
        notes=[("help", "name a path below the project's directory")],
    )
