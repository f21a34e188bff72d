"""Reading single files of the main context before anything is built."""

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
    """Read the file at `path`, taken from the context's root.

    The context is the state `context` if there is one, else the client's directory `local_name` without the files
    that `excludes` match. `session` is the session of the directory; "" is that of the build's client. Symlinks are
    resolved inside the context. Raises FileNotFoundError and `UserError`.
    """
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
