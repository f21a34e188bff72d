"""Exporters that a client chooses for the result of its build (`moby.exporter.v1.Exporter` in its session)."""

from __future__ import annotations

from pybuild.compiler.protos.exporter_pb2 import (
    FinalizeExportRequest,
    FinalizeExportResponse,
    FindExportersRequest,
    FindExportersResponse,
)
from pybuild.runtime.session.calls import UNIMPLEMENTED, CallFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pybuild.runtime.session.calls import Session

_EXPORTER = "/moby.exporter.v1.Exporter/"
FIND, FINALIZE = _EXPORTER + "FindExporters", _EXPORTER + "FinalizeExport"


def find_exporters(
    session: Session, metadata: Mapping[str, bytes], refs: Iterable[str] = ()
) -> list[tuple[str, dict[str, str]]]:
    """Return types and attributes of the exporters that the client chooses for a result with this metadata; `refs`
    are the names of its states. Empty if the client does not serve this. Raises SessionLost, CallFailed."""
    if not session.offers(FIND):
        return []
    request = FindExportersRequest(metadata=dict(metadata), refs=list(refs))
    answer = session.call(FIND, request, FindExportersResponse)
    return [(exporter.Type, dict(exporter.Attrs)) for exporter in answer.exporters]


def finalize_export(session: Session, response: Mapping[str, str]) -> None:
    """Send the exporters' response to the client, if it serves this. Raises SessionLost, CallFailed."""
    if not session.offers(FINALIZE):
        return
    try:
        session.call(
            FINALIZE, FinalizeExportRequest(exporter_response=dict(response)), FinalizeExportResponse
        )
    except CallFailed as error:
        if error.code != UNIMPLEMENTED:
            raise
