"""Local sources that a client sends in its session (`FileSync.DiffCopy`), each into a tree that the store keeps.

Attributes and what they mean are BuildKit's; which files there are (patterns, links followed) the client works out.
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


class Asked:
    """What the op of a local source asks of its client. `name` is the directory's. Raises UserError."""

    __slots__ = ("compare", "exceptions", "excludes", "followed", "hint", "includes", "metadata_only", "name")

    def __init__(self, op: SourceOp, name: str) -> None:
        self.name = name
        self.includes = patterns(op, "local.includepattern")
        self.excludes = patterns(op, "local.excludepatterns")
        self.followed = patterns(op, "local.followpaths")
        self.hint = op.attrs.get("local.sharedkeyhint", "")
        self.compare = op.attrs.get("local.differ", "") != "none"
        given = op.attrs.get("local.metadatatransfer", "false")
        wanted = truth(given)
        if wanted is None:
            raise UserError(f"invalid value for local.metadatatransfer {given!r}")
        self.metadata_only = wanted
        self.exceptions = patterns(op, "local.metadatatransferexclude") if wanted else []

    def wanted(self, session: Session) -> Wanted:
        """Of the trees that are kept. Clients that have no key share theirs."""
        return Wanted(
            key_of(self.name, self.hint, session.shared_key, self.metadata_only),
            key_of(self.includes, self.excludes, self.followed, self.exceptions),
            session.id,
            f"local source for {self.name}",
        )

    def metadata(self) -> list[tuple[str, str]]:
        return [
            *encoded("dir-name", [self.name]),
            *encoded("include-patterns", self.includes),
            *encoded("exclude-patterns", self.excludes),
            *encoded("followpaths", self.followed),
        ]

    def chosen(self) -> Callable[[bytes], bool] | None:
        """Which files are to be brought where only descriptions are asked for; None for all."""
        if not self.metadata_only:
            return None
        if not self.exceptions:
            return lambda path: False
        matcher = Matcher(self.exceptions)
        return lambda path: matcher.matches(os.fsdecode(path))


class FileSyncSource:
    """The local sources of one build. Thread-safe. `close` gives back the trees, which until then stay as they were
    sent."""

    def __init__(self, store: Store, observer: Observer) -> None:
        self._store = store
        self._observer = observer
        self._held: list[Held] = []
        self._guard = Lock()

    def tree(self, session: Session, vertex: Vertex, name: str, cancellation: Cancellation) -> LocalTree:
        """The files of a local source as the client has them. Raises NoLocalSources, TransferFailed, SessionLost,
        CallFailed, Cancelled."""
        if not session.offers(DIFF_COPY):
            raise NoLocalSources(
                "no local sources enabled",
                help="the client offers no directories in its session: give it one",
            )
        asked = Asked(source_of(vertex), name)
        held, cache = self._brought(session, asked, vertex, cancellation)
        with self._guard:
            self._held.append(held)
        return LocalTree(os.fsencode(held.files), cache, owned=True)

    def _brought(
        self, session: Session, asked: Asked, vertex: Vertex, cancellation: Cancellation
    ) -> tuple[Held, StatCache]:
        """The tree with what is asked for, and digests of its files."""
        wanted = asked.wanted(session)
        while True:
            held = hold(self._store, wanted, cancellation)
            cache = StatCache(held.stats, os.fsencode(held.files))
            if held.whole:
                return held, cache
            try:
                self._receive(session, asked, vertex, held, cache, cancellation)
                if held.end():
                    return held, cache
            except BaseException:
                held.release()
                raise

    def _receive(
        self,
        session: Session,
        asked: Asked,
        vertex: Vertex,
        held: Held,
        cache: StatCache,
        cancellation: Cancellation,
    ) -> None:
        root = os.fsencode(held.files)
        tracked = Tracked(self._observer, vertex.name, vertex.digest)
        id, last = f"transferring {asked.name}:", 0.0

        def report(transferred: int) -> None:
            nonlocal last
            moment = monotonic()
            if moment - last >= REPORT_SECONDS:
                last = moment
                tracked.progress(id, transferred, 0)

        receiver = Receiver(root, cache.put, compare=asked.compare, chosen=asked.chosen(), report=report)
        try:
            receiver.run(session, asked.metadata(), cancellation)
        finally:
            tracked.progress(id, receiver.transferred, 0, done=True)

    def close(self) -> None:
        """Idempotent."""
        with self._guard:
            held, self._held = self._held, []
        for one in held:
            one.release()
