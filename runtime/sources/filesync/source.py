"""Local sources that a client sends in its session (`FileSync.DiffCopy`), each to a tree of the store.

Attributes have BuildKit's meaning. The client itself applies patterns and follows links.
"""

from __future__ import annotations

import os
from threading import Lock
from time import monotonic

from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import UserError
from pybuild.lang.dockerfile.ignore import Matcher
from pybuild.runtime.progress.observer import Tracked
from pybuild.runtime.session.headers import encoded
from pybuild.runtime.sources.attributes import patterns, source_of
from pybuild.runtime.sources.filesync.pool import Wanted, hold, key_of
from pybuild.runtime.sources.filesync.receiver import DIFF_COPY, Receiver
from pybuild.runtime.sources.local import LocalTree
from pybuild.runtime.sources.statcache import StatCache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.compiler.graph import Vertex
    from pybuild.compiler.ops import SourceOp
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.session.calls import Session
    from pybuild.runtime.solver.types import Cancellation
    from pybuild.runtime.sources.filesync.pool import Held

REPORT_SECONDS = 0.1
"""Least time between two reports of one transfer's progress."""


class NoLocalSources(UserError):
    """The client has no directories to send."""


class LocalRequest:
    """The parsed op of a local source. `name` is the client's name for the directory. Raises UserError."""

    __slots__ = ("compare", "exceptions", "excludes", "followed", "hint", "includes", "metadata_only", "name")

    def __init__(self, op: SourceOp, name: str) -> None:
        self.name = name
        self.includes = patterns(op, "local.includepattern")
        self.excludes = patterns(op, "local.excludepatterns")
        self.followed = patterns(op, "local.followpaths")
        self.hint = op.attrs.get("local.sharedkeyhint", "")
        self.compare = op.attrs.get("local.differ", "") != "none"
        text = op.attrs.get("local.metadatatransfer", "false")
        metadata_only = truth(text)
        if metadata_only is None:
            raise UserError(f"invalid value for local.metadatatransfer {text!r}")
        self.metadata_only = metadata_only
        self.exceptions = patterns(op, "local.metadatatransferexclude") if metadata_only else []

    def wanted(self, session: Session) -> Wanted:
        """Return the tree of the store that the request needs. Clients without a shared key share trees, as in
        BuildKit."""
        return Wanted(
            key_of(self.name, self.hint, session.shared_key, self.metadata_only),
            key_of(self.includes, self.excludes, self.followed, self.exceptions),
            session.id,
            f"local source for {self.name}",
        )

    def metadata(self) -> list[tuple[str, str]]:
        """Return the headers of the call."""
        return [
            *encoded("dir-name", [self.name]),
            *encoded("include-patterns", self.includes),
            *encoded("exclude-patterns", self.excludes),
            *encoded("followpaths", self.followed),
        ]

    def chosen(self) -> Callable[[bytes], bool] | None:
        """Return a function that tells which files to transfer in spite of `metadata_only`; None to transfer all
        files."""
        if not self.metadata_only:
            return None
        if not self.exceptions:
            return lambda path: False
        matcher = Matcher(self.exceptions)
        return lambda path: matcher.matches(os.fsdecode(path))


class FileSyncSource:
    """The local sources of one build. Thread-safe. The trees don't change until `close`."""

    def __init__(self, store: Store, observer: Observer) -> None:
        self._store = store
        self._observer = observer
        self._held: list[Held] = []
        self._guard = Lock()

    def tree(self, session: Session, vertex: Vertex, name: str, cancellation: Cancellation) -> LocalTree:
        """Return the tree of a local source, transferred from the client unless a build of its session has it. Raises
        NoLocalSources, TransferFailed, SessionLost, CallFailed, Cancelled."""
        if not session.offers(DIFF_COPY):
            raise NoLocalSources(
                "no local sources enabled",
                help="the client offers no directories in its session: give it one",
            )
        request = LocalRequest(source_of(vertex), name)
        held, cache = self._hold(session, request, vertex, cancellation)
        with self._guard:
            self._held.append(held)
        return LocalTree(os.fsencode(held.files), cache, owned=True)

    def _hold(
        self, session: Session, request: LocalRequest, vertex: Vertex, cancellation: Cancellation
    ) -> tuple[Held, StatCache]:
        """Take the tree for a request, complete, with the digests of its files."""
        wanted = request.wanted(session)
        while True:
            held = hold(self._store, wanted, cancellation)
            cache = StatCache(held.stats, os.fsencode(held.files))
            if held.whole:
                return held, cache
            try:
                self._receive(session, request, vertex, held, cache, cancellation)
                # False: another build took the tree meanwhile, so start over with another one.
                if held.end():
                    return held, cache
            except BaseException:
                held.release()
                raise

    def _receive(
        self,
        session: Session,
        request: LocalRequest,
        vertex: Vertex,
        held: Held,
        cache: StatCache,
        cancellation: Cancellation,
    ) -> None:
        root = os.fsencode(held.files)
        tracked = Tracked(self._observer, vertex.name, vertex.digest)
        id, last = f"transferring {request.name}:", 0.0

        def report(transferred: int) -> None:
            nonlocal last
            moment = monotonic()
            if moment - last >= REPORT_SECONDS:
                last = moment
                tracked.progress(id, transferred, 0)

        receiver = Receiver(root, cache.put, compare=request.compare, chosen=request.chosen(), report=report)
        try:
            receiver.run(session, request.metadata(), cancellation)
        finally:
            tracked.progress(id, receiver.transferred, 0, done=True)

    def close(self) -> None:
        """Unlock the trees. Idempotent."""
        with self._guard:
            trees, self._held = self._held, []
        for held in trees:
            held.release()
