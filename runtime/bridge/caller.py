"""Facts that a frontend in a container gets: the build's attributes, its client and its builder."""

from __future__ import annotations

import json

from attrs import frozen

from pybuild.compiler import platforms
from pybuild.compiler.ops import Platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.compiler.image import Image
    from pybuild.compiler.protos.worker_pb2 import WorkerRecord

_PRODUCT = "buildkit"


@frozen
class Caller:
    """The facts about a builder that a frontend gets: the client's session, and the worker's identity."""

    session: str = ""
    worker: str = "pybuild"
    labels: Mapping[str, str] = {}
    platforms: tuple[Platform, ...] = ()


def variables(image: Image, options: Mapping[str, str], caller: Caller) -> list[str]:
    """Return the environment of a frontend: the image's variables, the request's options, and the facts about
    the builder."""
    encoded = [
        f"BUILDKIT_FRONTEND_OPT_{number}={key}={options[key]}" for number, key in enumerate(sorted(options))
    ]
    worker = {
        "id": caller.worker,
        "labels": dict(caller.labels),
        "platforms": [_platform(platform) for platform in caller.platforms or (platforms.default(),)],
        "gcPolicy": None,
    }
    return [
        *image.config.env,
        *encoded,
        f"BUILDKIT_SESSION_ID={caller.session}",
        f"BUILDKIT_WORKERS={json.dumps([worker])}",
        f"BUILDKIT_EXPORTEDPRODUCT={_PRODUCT}",
    ]


def worker_record(caller: Caller) -> WorkerRecord:
    from pybuild.compiler.protos.worker_pb2 import WorkerRecord

    record = WorkerRecord(ID=caller.worker, Labels=caller.labels)
    for one in caller.platforms or (platforms.default(),):
        record.platforms.add(Architecture=one.architecture, OS=one.os, Variant=one.variant)
    return record


def _platform(platform: Platform) -> dict[str, str]:
    fields = {"architecture": platform.architecture, "os": platform.os, "variant": platform.variant}
    return {name: value for name, value in fields.items() if value}
