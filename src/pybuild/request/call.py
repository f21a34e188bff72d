"""The value of `--call`: a question to the frontend in place of a build.

check                   findings of the build checks
outline                 the arguments, secrets, SSH agents and cache mounts that a target takes
targets                 the stages of the file
subrequests.describe    these calls
"""

from __future__ import annotations

from pybuild.lang.diagnostics import UsageError
from pybuild.request.flags import CALLS
from pybuild.request.values import boolean, known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


DESCRIBE = "subrequests.describe"


FORMATS = ("text", "json")


_OTHER_NAMES = {"lint": "check"}


class Call:
    """A parsed `--call`: `METHOD[,format=json|text][,ignorestatus=true]`. With `ignore_status` findings don't
    change the exit code."""

    __slots__ = ("format", "ignore_status", "name")

    def __init__(self, text: str) -> None:
        """Parse the value of the flag. Raises UsageError."""
        self.name = ""
        self.format = "text"
        self.ignore_status = False
        for field in text.split(","):
            key, equals, value = field.strip().partition("=")
            if not equals and not self.name and key:
                self.name = _OTHER_NAMES.get(key, key)
            elif key == "format" and equals:
                self.format = known(value, FORMATS, "format of --call")
            elif key == "ignorestatus" and equals:
                self.ignore_status = boolean(value, "ignorestatus")
            else:
                raise UsageError(f"invalid call {text!r}", help="write --call=METHOD[,format=json]")
        known(self.name, (*CALLS, DESCRIBE), "call")


def checked_call(text: str) -> str:
    """Return `text` if it is a valid call, and just `build` for every spelling of that one. Raises
    UsageError."""
    return text if Call(text).name != "build" else "build"


def one_call(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Replace the flags `--call`, `--check` and `--print` by one `call`. Raises UsageError if they differ."""
    fields = {name: value for name, value in flags.items() if name not in ("check", "print")}
    texts = [text for text in (flags.get("call"), flags.get("print")) if text is not None]
    if flags.get("check") and not any(Call(text).name == "check" for text in texts):
        texts.append("check")
    if len(texts) > 1 and len(set(texts)) > 1:
        raise UsageError(f"several calls: {' and '.join(texts)}", help="leave out all but one")
    if texts:
        fields["call"] = texts[0]
    return fields
