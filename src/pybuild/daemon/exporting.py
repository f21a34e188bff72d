"""The exporters of one Solve: a frontend's result becomes images, archives and files.

    check(request)                                             before anything is solved
    export(request, result, gateway, sessions, observer)       solves what the result holds, then exports it

Images are pushed from here; archives and files go to the client's session, each with its exporter's number.
"""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from hashlib import sha256

from attrs import field, frozen

from pybuild.build.execute import build_of
from pybuild.compiler.gateway import CONFIG, PLATFORMS, Result
from pybuild.compiler.protos.control_pb2 import SolveRequest
from pybuild.daemon import attesting, caches, exportattributes
from pybuild.daemon.exportattributes import DOCKER, IMAGE
from pybuild.daemon.exportreceiver import Client
from pybuild.daemon.platformcheck import mismatch
from pybuild.daemon.provenance import Run, process_start
from pybuild.frontends.results import annotations_of, platform_object, platforms_of, targets_of, value_of
from pybuild.lang.diagnostics import Cancelled, Diagnostic, UserError
from pybuild.runtime.bridge.gateway import Gateway
from pybuild.runtime.bridge.statuses import SourceFailed
from pybuild.runtime.export.build import texts
from pybuild.runtime.export.exports import export as carry_out
from pybuild.runtime.export.pushing import pusher
from pybuild.runtime.image.annotations import Annotations
from pybuild.runtime.image.assemble import Result as ImageResult
from pybuild.runtime.image.parallel import run_all
from pybuild.runtime.progress.observer import Tracked
from pybuild.runtime.session.sessionexporters import finalize_export, find_exporters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pybuild.compiler.graph import Edge
    from pybuild.compiler.reference import Reference
    from pybuild.frontends.results import Listed
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.export.build import Build
    from pybuild.runtime.image.assemble import Image
    from pybuild.runtime.image.statements import Predicate
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.session.calls import Session, Sessions

FRONTEND = "frontend."
"""The prefix of the frontend's metadata that go into the response to the client."""
NAME = "image.name"
DIGEST, DESCRIPTOR = "containerimage.digest", "containerimage.descriptor"


def check(request: SolveRequest) -> None:
    """Check the exporters, attestations and caches of a request. Raises UserError."""
    for exporter in request.Exporters:
        exportattributes.check(exporter.Type, exporter.Attrs)
    attesting.options_of(request.FrontendAttrs)
    for entry in request.Cache.Exports:
        if entry.Type in caches.TYPES:
            caches.check(entry)


def export(
    request: SolveRequest, result: Result, gateway: Gateway, sessions: Sessions, observer: Observer
) -> tuple[dict[str, str], dict[str, object]]:
    """Solve the result and run the exporters; return the response to the client, and facts for the history. Raises
    UserError, Cancelled."""
    if result.edges and PLATFORMS not in result.metadata and "requestid" not in request.FrontendAttrs:
        raise UserError("build result contains multiple refs without platforms mapping")
    listed, run = platforms_of(result), Run(secrets.token_hex(12), process_start())
    attestation_options = attesting.options_of(request.FrontendAttrs)
    result = attesting.with_sbom(attestation_options, result, listed, gateway)
    solved = _solve(result, gateway)
    exporters = [Exporter(requested.Type, dict(requested.Attrs)) for requested in request.Exporters]
    if request.EnableSessionExporter:
        exporters += _session_exporters(sessions.get(request.Session), result, solved)
    predicates = attesting.attest(attestation_options, result, listed, gateway, run) if exporters else {}
    exporting = Exporting(request, result, gateway, observer, sessions, solved, predicates)
    exporting.warn(listed, exporters)
    responses = [exporting.run(number, exporter) for number, exporter in enumerate(exporters)]
    frontend_metadata = {name: value for name, value in result.metadata.items() if name.startswith(FRONTEND)}
    response = {name: value.decode(errors="replace") for name, value in frontend_metadata.items()}
    facts: dict[str, object] = {
        "metadata": dict(response),
        "attestations": attesting.history_provenance(result, listed, gateway, run),
        "results": {
            number: exported[DESCRIPTOR]
            for number, exported in enumerate(responses)
            if DESCRIPTOR in exported
        },
    }
    for exported in responses:
        response.update(texts(exported))
    response.update(_export_caches(request, result, solved, gateway.engine, sessions, observer))
    if request.EnableSessionExporter:
        finalize_export(sessions.get(request.Session), response)
    return response, facts


@frozen
class Exporter:
    type: str
    attributes: dict[str, str] = field(factory=dict)


class Exporting:
    """Runs the exporters of one result. `solved` has the snapshots of its states by key; the key of a single state
    is ""."""

    def __init__(
        self,
        request: SolveRequest,
        result: Result,
        gateway: Gateway,
        observer: Observer,
        sessions: Sessions,
        solved: Mapping[str, int | None],
        predicates: Mapping[str, Sequence[Predicate]],
    ) -> None:
        self._request = request
        self._result = result
        self._gateway = gateway
        self._engine = gateway.engine
        self._observer = observer
        self._sessions = sessions
        self._solved = solved
        self._predicates = predicates
        self._image_results = self._results()
        self._builds: dict[tuple[object, ...], Build] = {}

    def warn(self, listed: Sequence[Listed], exporters: Sequence[Exporter]) -> None:
        """Warn if the result is for other platforms than the request."""
        options = dict(self._request.FrontendAttrs)
        # Of several with this result the innermost frontend's counts: it ended first, so it is looked at last.
        for request, returned in reversed(self._gateway.requests):
            if (returned.edge, returned.edges) == (self._result.edge, self._result.edges):
                options = dict(request.options)
        several = self._result.edges is not None
        warnings = mismatch(options, [entry.platform for entry in listed], several=several)
        with ExitStack() as stack:
            vertex = self._vertex(0)
            if warnings and not exporters:
                stack.enter_context(Tracked(self._observer, "Verifying build result", vertex))
            for text in warnings:
                self._observer.warning(vertex, Diagnostic(text, level="warning"))

    def _vertex(self, number: int) -> str:
        text = f"{self._request.Session or self._request.Ref}-export-{number}"
        return "sha256:" + sha256(text.encode()).hexdigest()

    def run(self, number: int, exporter: Exporter) -> dict[str, object]:
        """Run one exporter; return its part of the response. Raises UserError, Cancelled."""
        several = self._result.edges is not None
        if exporter.type == DOCKER and several:
            raise UserError("docker exporter does not currently support exporting manifest lists")
        output = exportattributes.output(
            exporter.type,
            exporter.attributes,
            Client(lambda: self._sessions.get(self._request.Session), str(number), self._engine.cancellation),
            compatibility=self._request.CompatibilityVersion,
            attested=any(result.predicates for result in self._image_results),
            rewritable=bool(exporter.attributes.get("source-date-epoch"))
            or all(result.epoch is not None for result in self._image_results),
            name=self._result.metadata.get(NAME, b"").decode(errors="replace"),
        )
        response = carry_out(output, self._build(exporter.attributes), self._vertex(number))
        if exporter.type == IMAGE:
            response = {**response, **self._image_name(output.attributes, response)}
        return response

    def _build(self, attributes: Mapping[str, str]) -> Build:
        """Return the build that exporters take. Exporters of the same image share it."""
        exporter_annotations = annotations_of({name: value.encode() for name, value in attributes.items()})
        annotations = Annotations({**annotations_of(self._result.metadata), **exporter_annotations})
        key = annotations.identity
        if key not in self._builds:
            self._builds[key] = build_of(
                self._image_results,
                self._engine,
                self._observer,
                index=self._result.edges is not None,
                annotations=annotations or None,
                push=self._push,
            )
        return self._builds[key]

    def _push(
        self, image: Image, name: Reference, *, insecure: bool, by_digest: bool, tracked: Tracked
    ) -> None:
        """Push an image. Raises SourceFailed, Cancelled."""
        try:
            pusher(self._engine)(image, name, insecure=insecure, by_digest=by_digest, tracked=tracked)
        except Cancelled:
            raise
        except UserError as error:
            raise SourceFailed(error, "", f"failed to push {name.canonical}: ") from None

    def _results(self) -> list[ImageResult]:
        """Return a result for each platform. If the frontend returned no config, the history of the config
        describes how each layer was made."""
        listed, targets, engine = platforms_of(self._result), targets_of(self._result), self._engine
        metadata, creation = self._result.metadata, self._engine.creation
        return [
            ImageResult(
                target.config,
                self._snapshot(entry.key),
                base=target.base,
                creation=creation.time if value_of(metadata, CONFIG, entry.key) else creation.describe,
                platform=platform_object(entry.platform),
                predicates=self._predicates.get(entry.key, ()),
                epoch=target.epoch,
                key=entry.key,
                extra=caches.inline(self._request, target.edge, self._snapshot(entry.key), engine),
            )
            for entry, target in zip(listed, targets, strict=True)
        ]

    def _snapshot(self, key: str) -> int | None:
        return self._solved[key if self._result.edges is not None else ""]

    @staticmethod
    def _image_name(attributes: Mapping[str, str], response: Mapping[str, object]) -> dict[str, object]:
        """Return the image's name as the client gave it: the exporter's own answer has it in canonical form."""
        name, prefix = attributes.get("name", ""), attributes.get("dangling-name-prefix", "")
        if not name and prefix:
            name = f"{prefix}@{response[DIGEST]}"
        return {NAME: name} if name else {}


def _solve(result: Result, gateway: Gateway) -> dict[str, int | None]:
    """Solve all states, in parallel; return their snapshots by key, "" for a single state."""
    edges: Mapping[str, Edge | None] = {"": result.edge} if result.edges is None else result.edges
    engine = gateway.engine

    def solver(edge: Edge | None) -> Callable[[], int | None]:
        return lambda: engine.snapshot(gateway.evaluate(edge))

    snapshots = run_all([solver(edge) for edge in edges.values()], threads=len(edges))
    return dict(zip(edges, snapshots, strict=True))


def _export_caches(
    request: SolveRequest,
    result: Result,
    solved: Mapping[str, int | None],
    engine: Engine,
    sessions: Sessions,
    observer: Observer,
) -> dict[str, str]:
    edges = [result.edge] if result.edges is None else list(result.edges.values())
    solved_edges = [edge for edge in edges if edge is not None]
    return caches.export_all(request, solved_edges, list(solved.values()), engine, sessions, observer)


def _session_exporters(session: Session, result: Result, solved: Mapping[str, int | None]) -> list[Exporter]:
    """Return the exporters that the client's session wants for this result. Raises UserError."""
    refs = [str(snapshot) for snapshot in solved.values() if snapshot is not None]
    exporters = [Exporter(*fields) for fields in find_exporters(session, result.metadata, refs)]
    for exporter in exporters:
        exportattributes.check(exporter.type, exporter.attributes)
    return exporters
