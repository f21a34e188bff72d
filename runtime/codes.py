"""The codes of errors that come up while a graph is solved (language spec, section 16: group R, and E0903)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.diagnostics import UserError

RUN_FAILED = "R0001"
SOURCE_FAILED = "R0002"
DIGEST_MISMATCH = "R0003"
MISSING_SECRET = "R0004"
TIMED_OUT = "R0005"
NOT_ALLOWED = "E0903"


def solve_code(error: UserError) -> str:
    """The code of an error of a solve, or of a question to the bridge; "" for one without."""
    from pybuild.runtime.content.blobs import DigestMismatch
    from pybuild.runtime.export.selecting import NoSuchPath
    from pybuild.runtime.ops.entitlements import NotAllowed
    from pybuild.runtime.ops.failures import StepFailed
    from pybuild.runtime.ops.files.failures import SourceNotFound
    from pybuild.runtime.registry.errors import RegistryError, TimedOut
    from pybuild.runtime.session.types import MissingSecret
    from pybuild.runtime.sources.errors import SourceFailed, SourceMismatch, SourceTimedOut
    from pybuild.runtime.sources.expansion import Unresolvable

    # A mismatch and a silence are failed sources too, so they come first.
    kinds = {
        RUN_FAILED: (StepFailed,),
        DIGEST_MISMATCH: (DigestMismatch, SourceMismatch),
        TIMED_OUT: (TimedOut, SourceTimedOut),
        SOURCE_FAILED: (SourceFailed, RegistryError, SourceNotFound, NoSuchPath, Unresolvable),
        MISSING_SECRET: (MissingSecret,),
        NOT_ALLOWED: (NotAllowed,),
    }
    return next((code for code, classes in kinds.items() if isinstance(error, classes)), "")
