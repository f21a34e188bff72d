"""SLSA provenance of a build: what was built from what, how it was asked for, and when, in the two versions of the
schema that BuildKit writes.

With `mode=min` build arguments, labels, secrets and agents stay out of it, and the steps.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from attrs import frozen

from pybuild.compiler import platforms
from pybuild.compiler.llb.encode import encode_definition
from pybuild.compiler.protos import ops_pb2
from pybuild.daemon.buildsteps import Steps, sources_of
from pybuild.daemon.capture import Capture, redact
from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import UsageError
from pybuild.runtime.image.gojson import indented

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.compiler.graph import Edge

V1, V02 = "v1", "v0.2"
PREDICATES = {V1: "https://slsa.dev/provenance/v1", V02: "https://slsa.dev/provenance/v0.2"}
_BUILD_TYPES = {
    V1: "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
    V02: "https://mobyproject.org/buildkit@v1",
}
_KEY = "https://mobyproject.org/buildkit@v1#"
_PRIVATE = ("build-arg:", "label:")


@frozen
class ProvenanceOptions:
    """The attributes of a provenance attestation."""

    version: str = V1
    full: bool = True
    inline_only: bool = False
    reproducible: bool = False
    builder: str = ""
    filename: str = "provenance.json"

    @property
    def predicate_type(self) -> str:
        return PREDICATES[self.version]


@frozen
class Run:
    """A build: when it began (seconds since the epoch), and its id."""

    id: str
    started: float


def process_start() -> float:
    """Return the time when this process began. It does one build and nothing else."""
    with open("/proc/self/stat", "rb") as file:
        # The command's name, in parentheses, may hold anything; field 22 is the start in clock ticks (proc(5)).
        ticks = int(file.read().rpartition(b") ")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def options_of(attributes: Mapping[str, str]) -> ProvenanceOptions:
    """Parse the attributes. Raises UsageError."""
    version, mode = attributes.get("version", V1), attributes.get("mode", "max")
    if not version:
        raise UsageError("provenance SLSA version cannot be empty", help=f"give {V1} or {V02}")
    if version not in PREDICATES:
        raise UsageError(f"invalid provenance SLSA version: {version}", help=f"give {V1} or {V02}")
    if mode not in ("min", "max", "full"):
        raise UsageError(f'invalid mode "{mode}"', help="give min or max")
    reproducible = attributes.get("reproducible", "false")
    if truth(reproducible) is None:
        raise UsageError(f'failed to parse reproducible flag "{reproducible}"', help="give true or false")
    return ProvenanceOptions(
        version=version,
        full=mode != "min",
        inline_only=truth(attributes.get("inline-only", "")) is True,
        reproducible=truth(reproducible) is True,
        builder=attributes.get("builder-id", ""),
        filename=attributes.get("filename") or "provenance.json",
    )


def predicate(options: ProvenanceOptions, captured: Capture, edge: Edge | None, run: Run) -> bytes:
    """Return the predicate of a state, as JSON."""
    steps = sources = None
    if options.full:
        definition = ops_pb2.Definition.FromString(encode_definition(edge))
        graph_steps = Steps(definition)
        steps = {"llbDefinition": graph_steps.definition, "digestMapping": graph_steps.mapping}
        sources = sources_of(definition, graph_steps)
    make = _FORMS[options.version]
    return indented(
        make(
            options, _Facts(options, captured, run), steps if steps and any(steps.values()) else None, sources
        )
    )


class _Facts:
    """The parts that both versions of the schema have."""

    def __init__(self, options: ProvenanceOptions, captured: Capture, run: Run) -> None:
        args = dict(captured.args)
        self.config = _config_source(captured, args)
        source = redact(args.get("vcs:source", ""))
        vcs = {name[4:]: value for name, value in args.items() if name.startswith("vcs:") and value}
        self.vcs = {**vcs, "source": source} if source else vcs
        args = {name: value for name, value in args.items() if not name.startswith("vcs:")}
        self.complete = bool(captured.frontend)
        if not options.full:
            public_args = {name: value for name, value in args.items() if not name.startswith(_PRIVATE)}
            self.complete = self.complete and public_args == args
            args = public_args
        self.request = _without_empty(
            {
                "frontend": captured.frontend,
                "args": dict(sorted(args.items())),
                "secrets": _ids(captured.secrets) if options.full else [],
                "ssh": _ids(captured.agents) if options.full else [],
                "locals": [{"name": name} for name in sorted(captured.locals)],
            }
        )
        self.materials = [
            _without_empty({"uri": material.uri, "digest": dict(material.digest)})
            for material in captured.materials
        ]
        self.all_materials = not (captured.incomplete or captured.locals)
        self.hermetic = self.all_materials and not captured.network
        self.platform = platforms.format(platforms.normalize(platforms.default()))
        self.id = run.id
        self.started, self.finished = _time(run.started), _time(time.time())


def _config_source(captured: Capture, args: dict[str, str]) -> dict[str, object]:
    """Return where the build file comes from, removed from `args`; its file stands under `path`."""
    key = args.get("contextkey") or "context"
    if key not in args and args.get("input:context"):
        key = "input:context"
    source: dict[str, object] = {}
    uri = args.pop(key, "")
    if uri:
        material = captured.material(uri)
        source["uri"] = redact(uri)
        if material is not None:
            source["digest"] = dict(material.digest)
    name = args.pop("filename", "")
    if name:
        source["path"] = name
    return source


def _v1(
    options: ProvenanceOptions,
    facts: _Facts,
    steps: Mapping[str, object] | None,
    sources: Mapping[str, object] | None,
) -> dict[str, object]:
    internal: dict[str, object] = {"buildConfig": steps} if steps else {}
    metadata = {
        "invocationID": facts.id,
        "startedOn": facts.started,
        "finishedOn": facts.finished,
        "buildkit_metadata": _without_empty({"vcs": facts.vcs, "source": sources}),
        "buildkit_hermetic": facts.hermetic,
        "buildkit_completeness": {"request": facts.complete, "resolvedDependencies": facts.all_materials},
        "buildkit_reproducible": options.reproducible,
    }
    dropped = ("buildkit_hermetic", "buildkit_reproducible")
    return {
        "buildDefinition": {
            "buildType": _BUILD_TYPES[V1],
            **_without_empty({"resolvedDependencies": facts.materials}),
            "externalParameters": {"configSource": facts.config, "request": facts.request},
            "internalParameters": {**internal, "builderPlatform": facts.platform},
        },
        "runDetails": {
            "builder": {"id": options.builder},
            "metadata": {
                name: field_value
                for name, field_value in metadata.items()
                if field_value or name not in dropped
            },
        },
    }


def _v02(
    options: ProvenanceOptions,
    facts: _Facts,
    steps: Mapping[str, object] | None,
    sources: Mapping[str, object] | None,
) -> dict[str, object]:
    config = {("entryPoint" if name == "path" else name): value for name, value in facts.config.items()}
    complete = {"parameters": facts.complete, "environment": True, "materials": facts.all_materials}
    return {
        "builder": {"id": options.builder},
        "buildType": _BUILD_TYPES[V02],
        **_without_empty({"materials": facts.materials}),
        "invocation": {
            "configSource": config,
            "parameters": facts.request,
            "environment": {"platform": facts.platform},
        },
        **({"buildConfig": steps} if steps else {}),
        "metadata": {
            "buildInvocationID": facts.id,
            "buildStartedOn": facts.started,
            "buildFinishedOn": facts.finished,
            "completeness": complete,
            "reproducible": options.reproducible,
            _KEY + "metadata": _without_empty({"vcs": facts.vcs, "source": sources}),
            **({_KEY + "hermetic": True} if facts.hermetic else {}),
        },
    }


_FORMS: Mapping[
    str,
    Callable[
        [ProvenanceOptions, _Facts, Mapping[str, object] | None, Mapping[str, object] | None],
        dict[str, object],
    ],
] = {V1: _v1, V02: _v02}


def _ids(optional_by_id: Mapping[str, bool]) -> list[dict[str, object]]:
    return [{"id": id, **({"optional": True} if optional_by_id[id] else {})} for id in sorted(optional_by_id)]


def _without_empty(value: Mapping[str, object]) -> dict[str, object]:
    return {name: field_value for name, field_value in value.items() if field_value}


def _time(seconds: float) -> str:
    """Return a time in RFC 3339, in UTC with nanoseconds, as Go writes it."""
    whole, fraction = divmod(round(seconds * 1_000_000_000), 1_000_000_000)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return f"{text}.{fraction:09d}".rstrip("0").rstrip(".") + "Z"
