"""The dependencies of a build's graph, noted while build files are found, read and compiled."""

from __future__ import annotations

import os
import stat

from pybuild.compiler.ops import ExecOp
from pybuild.replay import signatures
from pybuild.runtime.sources.statcache import at_rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.graph import Vertex
    from pybuild.compiler.ops import SourceOp
    from pybuild.replay.signatures import Directory, Part, Signature


class Dependencies:
    """Collects what the frontend of one build looks at; the invocation record keeps it.

    `consulted` holds the state of every file that was read or looked for, taken before that. `parts` holds the state
    of directories that were listed, by path. `variables` are the names of variables of the environment that the
    request refers to. `queried_sources` are sources that told the frontend something, such as a time, and need not be
    in the graph. `code` are the absolute paths of the build file and its modules. `replayable` turns False once the
    graph depends on something that none of these can express.
    """

    __slots__ = ("code", "consulted", "parts", "queried_sources", "replayable", "variables")

    def __init__(self) -> None:
        self.code: list[str] = []
        self.consulted: dict[str, Signature | None] = {}
        self.parts: dict[str, Part] = {}
        self.variables: list[str] = []
        self.queried_sources: list[SourceOp] = []
        self.replayable = True

    def note(self, path: str) -> None:
        """Note the state of a file that is about to be read or looked for."""
        signatures.note(path, self.consulted)

    def renew(self, path: str) -> None:
        """Note the state of a file that this build has written itself."""
        self.consulted.pop(path, None)
        self.note(path)

    def note_link(self, path: str) -> None:
        """Note the target of a symlink, or that a directory is none; what is at the other end is not part of the
        state."""
        if path in self.parts:
            return
        files = (os.fsencode(path),)
        try:
            self.parts[path] = ((), files, signatures.part_digest((), files))
            status = os.lstat(path)
            # Times of a directory are not part of its state.
            self.replayable &= stat.S_ISDIR(status.st_mode) or at_rest(status.st_ctime_ns, signatures.BEGUN)
        except OSError:
            self.note(path)

    def note_names(self, path: str) -> None:
        """Note the names in a directory that is about to be listed."""
        if path in self.parts:
            return
        directory: tuple[Directory, ...] = ((os.fsencode(path), None),)
        try:
            self.parts[path] = (directory, (), signatures.part_digest(directory, ()))
        except OSError:
            self.note(path)

    def note_entries(self, path: str) -> None:
        """Note the state of all files in a directory that are about to be read."""
        if path in self.parts:
            return
        directory: tuple[Directory, ...] = ((os.fsencode(path), {}),)
        try:
            self.parts[path] = (directory, (), signatures.part_digest(directory, ()))
            with os.scandir(path) as entries:
                ages = [entry.stat(follow_symlinks=False).st_ctime_ns for entry in entries]
        except OSError:
            self.note(path)
            return
        # A file changed within the clock's grain of this process's start may change again unnoticed.
        self.replayable &= all(at_rest(age, signatures.BEGUN) for age in ages)


def always_runs(vertex: Vertex) -> bool:
    """Report whether a step must be looked at although its result is known: the machine's devices decide about it, or
    it is never taken from the cache."""
    devices = isinstance(vertex.op, ExecOp) and bool(vertex.op.cdi_devices)
    return devices or vertex.metadata.ignore_cache
