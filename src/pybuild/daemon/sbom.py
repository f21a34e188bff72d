"""Bills of materials: a scanner image runs on the result, and writes in-toto statements.

BuildKit's protocol: the file system to scan is mounted at BUILDKIT_SCAN_SOURCE, the statements are files in
BUILDKIT_SCAN_DESTINATION, and further parameters are BUILDKIT_SCAN_KEY in its environment.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from pybuild.compiler import image, platforms, reference
from pybuild.compiler.gateway import Attestation, Request
from pybuild.compiler.mounts import bind, tmpfs
from pybuild.compiler.options import Options
from pybuild.compiler.state import State
from pybuild.lang.diagnostics import UsageError, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.graph import Edge
    from pybuild.runtime.bridge.gateway import Gateway

DEFAULT_GENERATOR = "docker/buildkit-syft-scanner:stable-1"
CORE = "sbom"
SOURCE = f"/run/src/core/{CORE}"
DESTINATION = "/run/out/"
REASON = "sbom"
_TYPES = ("https://spdx.dev/Document", "https://cyclonedx.org/bom")
_PULLS = {"pull": True, "local": False}


@frozen
class SbomOptions:
    """The scanner image, and its parameters."""

    generator: str
    parameters: Mapping[str, str]
    cached: bool = True
    resolve_mode: str = ""


def options_of(attributes: Mapping[str, str], options: Mapping[str, str]) -> SbomOptions:
    """Parse the attributes of the attestation, and those of the frontend. Raises UsageError."""
    generator = attributes.get("generator", DEFAULT_GENERATOR)
    if not generator:
        raise UsageError("sbom generator cannot be empty", help="give generator=IMAGE")
    try:
        ref = reference.parse(generator)
    except reference.InvalidReference as error:
        raise UsageError(f"failed to parse sbom generator {generator}: {error.diagnostic.title}") from None
    return SbomOptions(
        (ref if ref.tag or ref.digest else ref.with_tag("latest")).canonical,
        {name: value for name, value in attributes.items() if name != "generator"},
        cached=options.get("no-cache") != "",
        resolve_mode=options.get("image-resolve-mode", ""),
    )


def has_sbom(attestations: Mapping[str, tuple[Attestation, ...]]) -> bool:
    """Return whether the frontend has made a bill of materials."""
    return any(
        attestation.predicate_type in _TYPES for several in attestations.values() for attestation in several
    )


def scan(options: SbomOptions, key: str, edge: Edge, gateway: Gateway) -> Attestation:
    """Return the statements about a state; the scanner runs when they are read. `key` is the state's platform.
    Raises UserError, Cancelled."""
    engine, platform = gateway.engine, platforms.default()
    resolved = engine.images.resolve_image(
        options.generator, platform, engine.cancellation, pull=_PULLS.get(options.resolve_mode)
    )
    config = image.parse(resolved.config).config
    args = (*(config.entrypoint or ()), *(config.cmd or ()))
    if not args:
        raise UserError(f"scanner {options.generator} does not have cmd", help="name another generator")
    state = State.image(resolved.ref, options=Options(platform=platform)).dir(config.working_dir or "/")
    variables = dict(entry.partition("=")[::2] for entry in config.env or ())
    variables |= {"BUILDKIT_SCAN_DESTINATION": DESTINATION, "BUILDKIT_SCAN_SOURCE": SOURCE}
    variables |= {f"BUILDKIT_SCAN_{name}": value for name, value in options.parameters.items()}
    for name, value in variables.items():
        state = state.env(name, value)
    scanned = state.run(
        args,
        mounts=[
            tmpfs("/tmp"),
            bind(SOURCE, State(edge), readonly=True),
            bind(DESTINATION, State.scratch()),
        ],
        options=Options(
            platform=platform,
            name=f"[{key}] generating sbom using {options.generator}",
            ignore_cache=not options.cached,
        ),
    )
    result = gateway.solve(Request(scanned.mount(DESTINATION).edge))
    return Attestation(
        kind=1, metadata={"reason": REASON.encode(), "sbom-core": CORE.encode()}, edge=result.edge
    )
