"""Where declarations of programs and notebooks go: each module that makes some has a recording of its own."""

from __future__ import annotations

import linecache
import os
from threading import Lock

from pybuild.lang.python.callsite import shown_name
from pybuild.lang.python.recording import Recording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from pybuild.language.compiled import Compiled

_HOME = "__pybuild_recording__"
_lock = Lock()


def recording_of(frame: FrameType) -> Recording:
    """The recording of the module that a frame is of; made at its first use, and kept among the module's names."""
    names = frame.f_globals
    with _lock:
        found = names.get(_HOME)
        if not isinstance(found, Recording):
            found = names[_HOME] = _made(frame.f_code.co_filename)
        return found


def filename_of(recording: Recording) -> str:
    """The file of a recording's module, or where one of a notebook would lie."""
    return recording.found.key


def compiled(filename: str, text: str) -> Compiled:
    """What a file is compiled with, for a module that has been run already."""
    from pybuild.language.compiled import Compiled
    from pybuild.language.params import given_params
    from pybuild.request.request import BuildRequest

    return Compiled(
        shown_name(filename), text.encode("utf-8", "surrogatepass"), params=given_params(BuildRequest())
    )


def _made(code_filename: str) -> Recording:
    from pybuild.language.parse_cache import parse

    filename = os.path.abspath(code_filename)
    if not os.path.isfile(filename):
        filename = os.path.join(
            os.getcwd(), "build.py"
        )  # a notebook, a prompt: the place is the working directory
    text = "".join(linecache.getlines(filename)) if filename == os.path.abspath(code_filename) else ""
    of = compiled(filename, text)
    root = of.library.root(of.name, of.data)
    made = Recording(root, of.library, of.options(), of.world, parse, replaces=True)
    made.files.add(filename, root.source)
    return made
