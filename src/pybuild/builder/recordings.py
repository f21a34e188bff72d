"""The recordings of modules: each module of a program or notebook that declares targets has its own."""

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
    """Return the recording of a frame's module. It is made at its first use, and kept among the module's
    globals."""
    names = frame.f_globals
    with _lock:
        recording = names.get(_HOME)
        if not isinstance(recording, Recording):
            recording = names[_HOME] = _new_recording(frame.f_code.co_filename)
        return recording


def filename_of(recording: Recording) -> str:
    """Return the file of a recording's module, or the place that a notebook's would have."""
    return recording.found.key


def compiled(filename: str, text: str) -> Compiled:
    """Return a compiled build file of a module that has run already, for the library and options it compiles
    with."""
    from pybuild.language.compiled import Compiled
    from pybuild.language.params import given_params
    from pybuild.request.request import BuildRequest

    return Compiled(
        shown_name(filename), text.encode("utf-8", "surrogatepass"), params=given_params(BuildRequest())
    )


def _new_recording(code_filename: str) -> Recording:
    from pybuild.language.parse_cache import parse

    filename = os.path.abspath(code_filename)
    if not os.path.isfile(filename):
        filename = os.path.join(
            os.getcwd(), "build.py"
        )  # a notebook, a prompt: the place is the working directory
    text = "".join(linecache.getlines(filename)) if filename == os.path.abspath(code_filename) else ""
    of = compiled(filename, text)
    root = of.library.root(of.name, of.data)
    recording = Recording(root, of.library, of.options(), of.world, parse, replaces=True)
    recording.files.add(filename, root.source)
    return recording
