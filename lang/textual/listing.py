"""The contents of a program as `pybuild list` shows them, from the text alone, without values."""

from __future__ import annotations

import re

from attrs import frozen

from pybuild.lang.textual import modules, tree
from pybuild.lang.textual.check.walk import preorder
from pybuild.lang.textual.expand.params import declared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybuild.lang.source import Span


@frozen
class ListedAxis:
    """An axis of a target. `values` is source text."""

    name: str
    values: str


@frozen
class ListedTarget:
    """A target. `kind` is `target` or `test`; `summary` is the first sentence of `doc`; `platforms` are source
    text."""

    name: str
    kind: str
    summary: str
    doc: str
    axes: tuple[ListedAxis, ...]
    platforms: tuple[str, ...]


@frozen
class ListedParam:
    """A param. `default` is source text, None if the param is required."""

    name: str
    type: str
    default: str | None
    summary: str
    doc: str


@frozen
class ListedGroup:
    """A group. `members` are source text."""

    name: str
    members: tuple[str, ...]
    summary: str
    doc: str


@frozen
class ListedSecret:
    """A secret.

    `id` is as written, without quotes. `optional` is set if every use of it is. `places` are the paths and
    `$NAME`s where runs find it, in the order of the file."""

    id: str
    optional: bool
    places: tuple[str, ...] = ()


@frozen
class Listing:
    """The declarations of the root file in order, without private names, and the secrets and SSH agent ids that
    the root file or its modules use. `default` is the target that a build without names makes, "" if there is
    none."""

    default: str
    targets: tuple[ListedTarget, ...]
    groups: tuple[ListedGroup, ...]
    params: tuple[ListedParam, ...]
    secrets: tuple[ListedSecret, ...]
    ssh: tuple[str, ...]


def listing(program: modules.Program) -> Listing:
    decls = [decl for decl in program.root.file.decls if not _private(decl)]
    targets = tuple(_target(decl) for decl in decls if isinstance(decl, tree.Target))
    named = next((decl.name.name for decl in program.root.file.decls if isinstance(decl, tree.Default)), "")
    plain = [target.name for target in targets if target.kind == "target"]
    return Listing(
        default=named or (plain[0] if len(plain) == 1 else ""),
        targets=targets,
        groups=tuple(_group(decl) for decl in decls if isinstance(decl, tree.Group)),
        params=tuple(_param(decl) for decl in decls if isinstance(decl, tree.Param)),
        secrets=_secrets(program),
        ssh=_agents(program),
    )


def summary(doc: str) -> str:
    """Return the first sentence, in one line."""
    paragraph = " ".join(doc.strip().split("\n\n", 1)[0].split())
    return re.split(r"(?<=[.!?])\s", paragraph, maxsplit=1)[0]


def _private(decl: tree.Decl) -> bool:
    name = getattr(decl, "name", None)
    return isinstance(name, tree.Ident) and name.name.startswith("_")


def _target(decl: tree.Target) -> ListedTarget:
    axes = tuple(
        ListedAxis(axis.name.name, written(axis.values.span))
        for axis in decl.axes
        if isinstance(axis, tree.AxisFor)
    )
    platforms = tuple(written(platform.span) for platform in decl.on)
    return ListedTarget(decl.name.name, decl.kind, summary(decl.doc), decl.doc, axes, platforms)


def _group(decl: tree.Group) -> ListedGroup:
    value = decl.value
    members = value.items if isinstance(value, tree.List) else (value,)
    return ListedGroup(
        decl.name.name, tuple(written(member.span) for member in members), summary(decl.doc), decl.doc
    )


def _param(decl: tree.Param) -> ListedParam:
    default = written(decl.default.span) if decl.default is not None else None
    return ListedParam(decl.name.name, str(declared(decl.type)), default, summary(decl.doc), decl.doc)


def _secrets(program: modules.Program) -> tuple[ListedSecret, ...]:
    secrets: dict[str, ListedSecret] = {}
    for call in _calls(program, "secret"):
        id = _argument(call, "id", 0)
        if id is None:
            continue
        text = _text(id)
        secret = secrets.get(text, ListedSecret(text, True))
        optional = _argument(call, "optional", None)
        optional_here = isinstance(optional, tree.Bool) and optional.value
        places = dict.fromkeys((*secret.places, _place(call, text)))
        secrets[text] = ListedSecret(text, secret.optional and optional_here, tuple(places))
    return tuple(secrets.values())


def _place(call: tree.Call, id: str) -> str:
    """Return where runs find a secret: a path or `$NAME`."""
    variable, path = _argument(call, "env", None), _argument(call, "at", None)
    if variable is not None:
        return f"${_text(variable)}"
    return _text(path) if path is not None else f"/run/secrets/{id}"


def _agents(program: modules.Program) -> tuple[str, ...]:
    ids = [_argument(call, "id", 0) for call in _calls(program, "ssh")]
    return tuple(dict.fromkeys(_text(id) if id is not None else "default" for id in ids))


def _calls(program: modules.Program, name: str) -> Iterator[tree.Call]:
    """Yield the calls of a built-in, those of the root file first."""
    others = [module for module in program.modules.values() if module is not program.root]
    for module in (program.root, *others):
        for node in preorder(module.file):
            function = node.function if isinstance(node, tree.Call) else None
            if isinstance(node, tree.Call) and isinstance(function, tree.Name) and function.name == name:
                yield node


def _argument(call: tree.Call, name: str, place: int | None) -> tree.Expr | None:
    for at, argument in enumerate(call.arguments):
        if argument.name.name == name if argument.name is not None else at == place:
            return argument.value
    return None


def _text(expr: tree.Expr) -> str:
    if isinstance(expr, tree.String) and all(isinstance(part, tree.Text) for part in expr.parts):
        return "".join(part.value for part in expr.parts if isinstance(part, tree.Text))
    return written(expr.span)


def written(span: Span) -> str:
    """Return the text of a span in one line."""
    if span.line == span.end_line:
        return span.source.line(span.line)[span.column - 1 : span.end_column - 1]
    lines = [span.source.line(number) for number in range(span.line, span.end_line + 1)]
    lines[0] = lines[0][span.column - 1 :]
    lines[-1] = lines[-1][: span.end_column - 1]
    return " ".join(line.strip() for line in lines)
