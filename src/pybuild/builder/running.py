"""A command in a state, whose changes nobody keeps: no record is looked up or made."""

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
    """The digest of the vertex and the exit code. `config` is the image's. Raises UserError where the command can't
    be run; one that fails is none."""
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
    """The process as the image wants it, but for what the task says."""
    command = task["command"]
    environment = dict(entry.partition("=")[::2] for entry in config.get("Env") or ())
    environment |= task["env"]
    given = proxies()
    proxy = {name.lower(): value for name, value in given.items()}
    return Meta(
        args=arguments((), command) if isinstance(command, str) else arguments(command, None),
        env=tuple(f"{name}={value}" for name, value in environment.items()),
        cwd=task["cwd"] or config.get("WorkingDir") or "/",
        user=config.get("User", "") if task["user"] is None else task["user"],
        proxy_env=ProxyEnv(**proxy) if proxy else None,
    )
