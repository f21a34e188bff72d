"""Restrictions by origin (language spec, section 14): modules from outside the project have no capabilities
(E0902), some sources are for the root file only, and files of the host cause a warning (W0611)."""

from __future__ import annotations

from pybuild.lang.textual import modules, tree
from pybuild.lang.textual.check.options import argument
from pybuild.lang.textual.problems import lint
from pybuild.lang.textual.problems import security as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.textual.builtins import Signature
    from pybuild.lang.textual.check.checking import Checking


def check_capability(call: tree.Call, signature: Signature, origin: str, checking: Checking) -> None:
    """Check a call of a built-in in a module of this origin."""
    span, name = call.function.span, signature.name
    outside = origin in (modules.STANDARD, modules.FOREIGN)
    if outside and signature.capability:
        checking.report(problems.capability(call.span, name))
    elif signature.root_only and origin != modules.ROOT:
        checking.report(problems.root_only(call.span, name))
    elif outside and name == "network" and _given(call, signature, "mode", checking) == "host":
        checking.report(problems.capability(call.span, 'network("host")'))
    elif (
        origin == modules.FOREIGN and name == "cache" and _given(call, signature, "scope", checking) == "user"
    ):
        checking.report(problems.user_cache(call.span))
    elif name == "host" and signature.kind == "source":
        checking.report(lint.host_files(span))


def _given(call: tree.Call, signature: Signature, name: str, checking: Checking) -> object:
    value = argument(call, signature, name)
    return checking.constants.get(value) if value is not None else None
