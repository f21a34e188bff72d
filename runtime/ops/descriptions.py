"""Options of a step that LLB has no field for, read from the vertex's description. No cache key contains them."""

from __future__ import annotations

from pybuild.compiler.descriptions import LINES, PIDS, SCOPES
from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.graph import Vertex

PROJECT, USER = "project", "user"


def pids_limit(vertex: Vertex) -> int:
    """Return the step's limit of processes, 0 for no limit. Raises UserError."""
    text = vertex.metadata.description.get(PIDS, "0")
    if not (text.isascii() and text.isdigit()):
        raise UserError(
            f"{PIDS} of a step is no number: {text!r}", help="write decimal digits, 0 for no limit"
        )
    return int(text)


def call_lines(vertex: Vertex) -> list[str]:
    """Return the environment entry (`NAME=value`) that tells a called function's program where its parts stand in the
    user's files; an empty list for any other step."""
    text = vertex.metadata.description.get(LINES)
    if text is None:
        return []
    from pybuild.lang.recipe.statements import LINES as VARIABLE

    return [f"{VARIABLE}={text}"]


def project_caches(vertex: Vertex) -> frozenset[str]:
    """Return the ids of the step's caches of project scope; all others have user scope. Raises UserError."""
    text = vertex.metadata.description.get(SCOPES)
    if text is None:
        return frozenset()
    import json

    try:
        scopes = json.loads(text)
    except (ValueError, RecursionError):
        scopes = None
    if not isinstance(scopes, dict) or not all(scope in (PROJECT, USER) for scope in scopes.values()):
        raise UserError(
            f"{SCOPES} of a step is {text!r}", help=f'write a JSON object like {{"ID": "{PROJECT}"}}'
        )
    return frozenset(id for id, scope in scopes.items() if scope == PROJECT)
