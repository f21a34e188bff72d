"""What a step's description asks of its run, for which LLB has no field: none of it is in any key."""

from __future__ import annotations

from pybuild.compiler.descriptions import LINES, PIDS, SCOPES
from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.graph import Vertex

PROJECT, USER = "project", "user"


def pids_limit(vertex: Vertex) -> int:
    """How many processes the step may have, 0 for no limit. Raises UserError."""
    text = vertex.metadata.description.get(PIDS, "0")
    if not (text.isascii() and text.isdigit()):
        raise UserError(
            f"{PIDS} of a step is no number: {text!r}", help="write decimal digits, 0 for no limit"
        )
    return int(text)


def call_lines(vertex: Vertex) -> list[str]:
    """`NAME=value` of the variable that tells a called function's program where its parts stand in the user's files;
    nothing for any other step."""
    text = vertex.metadata.description.get(LINES)
    if text is None:
        return []
    from pybuild.lang.recipe.statements import LINES as VARIABLE

    return [f"{VARIABLE}={text}"]


def project_caches(vertex: Vertex) -> frozenset[str]:
    """The ids of caches that belong to the project; all others are the user's. Raises UserError."""
    text = vertex.metadata.description.get(SCOPES)
    if text is None:
        return frozenset()
    import json

    try:
        scopes = json.loads(text)
    except ValueError:
        scopes = None
    if not isinstance(scopes, dict) or not all(scope in (PROJECT, USER) for scope in scopes.values()):
        raise UserError(
            f"{SCOPES} of a step is {text!r}", help=f'write a JSON object like {{"ID": "{PROJECT}"}}'
        )
    return frozenset(id for id, scope in scopes.items() if scope == PROJECT)
