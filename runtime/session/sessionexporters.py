"""Exporters that a client offers for the result of its build (`moby.exporter.v1.Exporter` in its session)."""

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
    """Types and attributes of the exporters that the client wants for a result of this metadata. `refs` name its
    states. None of a client that offers none. Raises SessionLost, CallFailed."""
    if not session.offers(FIND):
        return []
    wanted = FindExportersRequest(metadata=dict(metadata), refs=list(refs))
    answer = session.call(FIND, wanted, FindExportersResponse)
    return [(one.Type, dict(one.Attrs)) for one in answer.exporters]


def finalize_export(session: Session, response: Mapping[str, str]) -> None:
    """Tell the client what its exporters have answered, if it wants to know. Raises SessionLost, CallFailed."""
    if not session.offers(FINALIZE):
        return
    try:
        session.call(
            FINALIZE, FinalizeExportRequest(exporter_response=dict(response)), FinalizeExportResponse
        )
    except CallFailed as error:
        if error.code != UNIMPLEMENTED:
            raise
