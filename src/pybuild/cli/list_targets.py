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
    from pybuild.cli.terminal import Notices
    from pybuild.frontends.build_context import find_context
    from pybuild.frontends.language import compile_file

    context = find_context(request, Notices())
    name, frontend = context.inputs.name, context.frontend
    if frontend.kind == PLUGIN:
        from pybuild.plugins.installed import listing_refusal

        raise listing_refusal(frontend, name)
    if not frontend.records:
        raise UsageError(
            f"{name} is a Dockerfile",
            help="pybuild build --call=targets lists the stages of a Dockerfile",
        )
    compiled = compile_file(context)
    declarations = listing(with_modules(compiled, request, compiled.program))
    if format == "json":
        return json.dumps({"schema": SCHEMA, **asdict(declarations)}, indent=2, ensure_ascii=False) + "\n"
    return visible(text(declarations))


def text(declarations: Listing) -> str:
    """Return the tables for people."""
    targets = [
        _target(target, declarations.default) for target in declarations.targets if target.kind == "target"
    ]
    tests = [
        _target(target, declarations.default) for target in declarations.targets if target.kind == "test"
    ]
    groups = [
        (
            f"{group.name} = {', '.join(group.members)}" + _mark(group.name, declarations.default),
            group.summary,
        )
        for group in declarations.groups
    ]
    params = [
        (
            f"{param.name}: {param.type}"
            + (f" = {param.default}" if param.default is not None else " (required)"),
            param.summary,
        )
        for param in declarations.params
    ]
    secrets = [
        (secret.id, ", ".join((*secret.places, *(["optional"] if secret.optional else []))))
        for secret in declarations.secrets
    ]
    agents = [(agent, "") for agent in declarations.ssh]
    tables = (
        ("targets", targets),
        ("tests", tests),
        ("groups", groups),
        ("params", params),
        ("secrets", secrets),
        ("ssh agents", agents),
    )
    return "\n".join(_table(title, rows) for title, rows in tables if rows) or "nothing is declared\n"


def _target(target: ListedTarget, default: str) -> Row:
    axes = f"[{', '.join(axis.name for axis in target.axes)}]" if target.axes else ""
    platforms = f" on {', '.join(target.platforms)}" if target.platforms else ""
    return target.name + axes + platforms + _mark(target.name, default), target.summary


def _mark(name: str, default: str) -> str:
    return " (default)" if name == default else ""


def _table(title: str, rows: Iterable[Row]) -> str:
    rows = list(rows)
    width = min(max(display_width(name) for name, _ in rows), 48)
    lines = [f"{title}:"]
    for name, summary in rows:
        gap = " " * max(width - display_width(name), 0)
        lines.append(f"  {name}{gap}  {summary}".rstrip())
    return "\n".join(lines) + "\n"
