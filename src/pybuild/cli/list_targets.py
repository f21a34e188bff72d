"""The command `pybuild list`: the declarations of a file of the language. `list.schema.json` beside this file
describes its JSON."""

from __future__ import annotations

import json

from attrs import asdict

from pybuild.lang.diagnostics import UsageError, display_width, visible
from pybuild.lang.frontends import PLUGIN
from pybuild.lang.textual.listing import listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybuild.lang.textual.listing import ListedTarget, Listing
    from pybuild.request.request import BuildRequest

SCHEMA = "pybuild.list/1"

Row = tuple[str, str]
"""A name with its parameters, and its description."""


def list_targets(request: BuildRequest, format: str) -> str:
    """Return the declarations in the build file of a request, as `text` or `json`. Raises UserError."""
    from pybuild.build.engine import with_modules
    from pybuild.build.pipeline import find_context
    from pybuild.frontends.compile_file import compile_file
    from pybuild.frontends.found_inputs import frontend_of
    from pybuild.runtime.progress.observer import Observer

    context = find_context(request, Observer())
    inputs = context.inputs
    frontend = frontend_of(inputs, context.args)
    if frontend.kind == PLUGIN:
        from pybuild.plugins.installed import unlisted

        raise unlisted(frontend, inputs.name)
    if not frontend.records:
        raise UsageError(
            f"{inputs.name} is a Dockerfile",
            help="pybuild build --call=targets lists the stages of a Dockerfile",
        )
    compiled = compile_file(inputs, request, context.dependencies)
    found = listing(with_modules(compiled, request, compiled.program))
    if format == "json":
        return json.dumps({"schema": SCHEMA, **asdict(found)}, indent=2, ensure_ascii=False) + "\n"
    return visible(text(found))


def text(found: Listing) -> str:
    """Return the tables for people."""
    targets = [_target(one, found.default) for one in found.targets if one.kind == "target"]
    tests = [_target(one, found.default) for one in found.targets if one.kind == "test"]
    groups = [
        (f"{one.name} = {', '.join(one.members)}" + _mark(one.name, found.default), one.summary)
        for one in found.groups
    ]
    params = [
        (
            f"{one.name}: {one.type}" + (f" = {one.default}" if one.default is not None else " (required)"),
            one.summary,
        )
        for one in found.params
    ]
    secrets = [
        (one.id, ", ".join((*one.places, *(["optional"] if one.optional else [])))) for one in found.secrets
    ]
    agents = [(one, "") for one in found.ssh]
    tables = (
        ("targets", targets),
        ("tests", tests),
        ("groups", groups),
        ("params", params),
        ("secrets", secrets),
        ("ssh agents", agents),
    )
    return "\n".join(_table(title, rows) for title, rows in tables if rows) or "nothing is declared\n"


def _target(one: ListedTarget, default: str) -> Row:
    axes = f"[{', '.join(axis.name for axis in one.axes)}]" if one.axes else ""
    platforms = f" on {', '.join(one.platforms)}" if one.platforms else ""
    return one.name + axes + platforms + _mark(one.name, default), one.summary


def _mark(name: str, default: str) -> str:
    return " (default)" if name == default else ""


def _table(title: str, rows: Iterable[Row]) -> str:
    rows = list(rows)
    width = min(max(display_width(name) for name, _ in rows), 48)
    lines = [f"{title}:"]
    for name, said in rows:
        gap = " " * max(width - display_width(name), 0)
        lines.append(f"  {name}{gap}  {said}".rstrip())
    return "\n".join(lines) + "\n"
