"""Single files of the main context that a frontend reads itself, before anything is built."""

from __future__ import annotations

from collections.abc import Iterable

from pybuild.compiler.bridge import Bridge
from pybuild.compiler.graph import Edge
from pybuild.compiler.options import Options
from pybuild.compiler.state import State


def read_context_file(
    path: str,
    bridge: Bridge,
    *,
    context: Edge | None,
    local_name: str,
    excludes: Iterable[str] = (),
    session: str = "",
) -> bytes:
    """The file at `path` from the context's root: of the state `context`, or of the local directory called
    `local_name` (of `session`, "" for that of the build's client) without what `excludes` leave out. Links stay
    inside. Raises FileNotFoundError, `UserError`."""
    if context is None:
        context = State.local(
            local_name,
            exclude=excludes,
            follow_paths=[path.lstrip("/")],
            shared_key=f"{local_name}-{path}",
            session=session,
            differ="none",
            options=Options(name=f"[internal] load {path}"),
        ).edge
        assert context is not None
    return bridge.read_file(context, path)
