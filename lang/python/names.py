"""Checks names of a build module's declarations, which the language and the command line must be able to write."""

from __future__ import annotations

import re

from pybuild.lang.python import problems
from pybuild.lang.python.recording import wrong
from pybuild.lang.textual.builtins import HARD_KEYWORDS
from pybuild.lang.textual.problems.states import no_variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.lang.textual import tree

_NAME: Final = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def variable(ident: tree.Ident) -> tree.Ident:
    """Check the name of an environment variable that was passed as a keyword. Raises SourceError (E0603)."""
    if not ident.name or "=" in ident.name or "\0" in ident.name:
        raise wrong(no_variable(ident.span, ident.name))
    return ident


def valid(ident: tree.Ident) -> tree.Ident:
    """Check a declaration's name. Raises SourceError (E0203)."""
    name: object = ident.name
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in HARD_KEYWORDS:
        raise wrong(problems.bad_name(ident.span, str(name)))
    return ident
