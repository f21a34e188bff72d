"""Runs a command in a state and discards its changes: no cache record is looked up or made."""

from __future__ import annotations

import json

from pybuild.compiler.exec_process import arguments
from pybuild.compiler.ops import EMPTY, ExecOp, Meta, Mount, NetMode, ProxyEnv
from pybuild.compiler.options import Options
from pybuild.request.arguments import proxies
from pybuild.runtime.ops.entitlements import Entitlements
from pybuild.runtime.ops.failures import StepFailed
from pybuild.runtime.ops.results import Snapshot
from pybuild.runtime.progress.observer import Tracked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine

NETWORKS = {"default": NetMode.UNSET, "none": NetMode.NONE, "host": NetMode.HOST}


def run_in(
    snapshot: int | None, config: bytes, task: Mapping[str, Any], request: BuildRequest, engine: Engine
) -> tuple[str, int]:
    """Run the command; return the digest of its vertex and its exit code. `config` is the image's. A failing
    command is no error. Raises UserError if it can't be run."""
    op = ExecOp(
        _process(json.loads(config).get("config") or {}, task),
        mounts=(Mount(input=EMPTY if snapshot is None else 0, dest="/", output=EMPTY),),
        network=NETWORKS[request.network],
    )
    words = " ".join(op.meta.args)
    vertex = Options(name=f"run {words}").vertex(op)
    Entitlements(request.allow).check([vertex])
    inputs = [] if snapshot is None else [Snapshot(snapshot)]
    with Tracked(engine.observer, vertex.name, vertex.digest):
        try:
            engine.operations.handler(vertex).run(vertex, inputs, engine.cancellation)
        except StepFailed as failed:
            return vertex.digest, int(failed.code)
    return vertex.digest, 0


def _process(config: Mapping[str, Any], task: Mapping[str, Any]) -> Meta:
    """Return the process that the image configures, with the task's changes."""
    command = task["command"]
    environment = dict(entry.partition("=")[::2] for entry in config.get("Env") or ())
    environment |= task["env"]
    proxy_variables = proxies()
    proxy = {name.lower(): value for name, value in proxy_variables.items()}
    return Meta(
        args=arguments((), command) if isinstance(command, str) else arguments(command, None),
        env=tuple(f"{name}={value}" for name, value in environment.items()),
        cwd=task["cwd"] or config.get("WorkingDir") or "/",
        user=config.get("User", "") if task["user"] is None else task["user"],
        proxy_env=ProxyEnv(**proxy) if proxy else None,
    )
