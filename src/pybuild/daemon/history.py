"""The history of builds: those under way, and records of those that are over.

    history/builds-v1.sqlite    records, and which blobs each has
    history/running/            builds under way (`historylog.py`)
    history/blobs/sha256/…      what records have: logs, errors, provenance, manifests and configs of results

A blob of a result is a hard link of the store's, so neither pruning the store nor deleting a record takes it from the
other. A build whose daemon died is recorded as failed by the next daemon.

`facts` of what a worker answers tell a record more:

    results         {number of the exporter: descriptor}, a descriptor being a dictionary in OCI's JSON form
    attestations    [(platform, or "" for a result without, predicate type, bytes of the predicate's JSON)]
    metadata        {name: text} of the frontend's result
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager

from pybuild.compiler.hide_credentials import without_credentials
from pybuild.compiler.protos import control_pb2
from pybuild.daemon.historyblobs import HistoryBlobs
from pybuild.daemon.historylog import RunningBuild, dead_builds
from pybuild.runtime.content.blobs import Blobs
from pybuild.runtime.content.reachable import reachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from typing import Any

    from pybuild.compiler.protos.control_pb2 import BuildHistoryEvent, BuildHistoryRecord, SolveRequest

MAX_AGE = 48 * 3600 * 1_000_000_000
MAX_ENTRIES = 50
LOGS = "application/vnd.buildkit.status.v0"
ERROR = "application/vnd.googeapis.google.rpc.status+proto"
PREDICATE = "application/vnd.in-toto+json"
PREDICATE_TYPE = "in-toto.io/predicate-type"

_TABLES = """
CREATE TABLE IF NOT EXISTS build (
    ref       TEXT PRIMARY KEY,
    created   INTEGER NOT NULL,  -- nanoseconds
    completed INTEGER NOT NULL,
    pinned    INTEGER NOT NULL,
    record    BLOB NOT NULL      -- a BuildHistoryRecord
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blob (
    digest TEXT NOT NULL,
    ref    TEXT NOT NULL REFERENCES build(ref) ON DELETE CASCADE,
    PRIMARY KEY (digest, ref)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS blob_ref ON blob(ref);
"""


class History:
    """The history of the store at `root`, which one daemon at a time has open. For one thread.

    An unpinned record expires when it is older than `max_age` nanoseconds and `max_entries` later ones exist. With
    `max_entries` 0 nothing is recorded.
    """

    def __init__(self, root: str, max_age: int | None = None, max_entries: int | None = None) -> None:
        self._max_age = MAX_AGE if max_age is None else max_age
        self._max_entries = MAX_ENTRIES if max_entries is None else max_entries
        directory = os.path.join(root, "history")
        self._running_at = os.path.join(directory, "running")
        os.makedirs(directory, mode=0o700, exist_ok=True)
        os.makedirs(self._running_at, mode=0o700, exist_ok=True)
        self._stored = Blobs(root, lambda: directory, lambda digest: None)
        self._blobs = HistoryBlobs(root)
        self._running: dict[str, RunningBuild] = {}
        self._db = sqlite3.connect(
            os.path.join(directory, "builds-v1.sqlite"), timeout=60, isolation_level=None
        )
        self._db.execute("PRAGMA journal_mode=WAL")
        # With WAL: a loss of power may take the latest records, and never damages the others.
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA foreign_keys=ON")
        self._db.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")
        for build in dead_builds(self._running_at):
            if self._has(build.record):
                build.end()
            else:
                self._complete(build, failure=_lost_status())
        self._blobs.sweep({str(row[0]) for row in self._db.execute("SELECT digest FROM blob")})
        self._expire()

    @property
    def enabled(self) -> bool:
        return self._max_entries != 0

    def started(self, request: SolveRequest) -> list[BuildHistoryEvent]:
        """Begin a build; return the events for listeners."""
        record = control_pb2.BuildHistoryRecord(
            Ref=request.Ref,
            Frontend=request.Frontend,
            FrontendAttrs=request.FrontendAttrs,
            Exporters=request.Exporters,
        )
        if not request.Exporters and request.ExporterDeprecated:
            record.Exporters.add(Type=request.ExporterDeprecated, Attrs=request.ExporterAttrsDeprecated)
        # A copy: a map of protobuf that changes meanwhile may skip entries.
        for name, value in dict(record.FrontendAttrs).items():
            record.FrontendAttrs[name] = without_credentials(value)
        record.CreatedAt.GetCurrentTime()
        self._running[request.Ref] = RunningBuild.begin(self._running_at, record)
        return [_event(control_pb2.STARTED, record)]

    def status(self, ref: str, data: bytes) -> None:
        """Append a StatusResponse to the log of a build under way."""
        build = self._running.get(ref)
        if build is not None:
            build.add(data)

    def completed(
        self, ref: str, response: Mapping[str, str], facts: Mapping[str, Any], failure: bytes | None
    ) -> list[BuildHistoryEvent]:
        """Complete a build; return the events for listeners."""
        build = self._running.pop(ref, None)
        if build is None:
            return []
        record = self._complete(build, response, facts, failure)
        return [_event(control_pb2.COMPLETE, record), *self._expire()]

    def running(self) -> list[BuildHistoryRecord]:
        return [build.record for build in self._running.values()]

    def recorded(self, ref: str = "") -> Iterator[BuildHistoryRecord]:
        """Yield the records, the earliest first; only that of one build if `ref` is not empty."""
        query = "SELECT record FROM build WHERE ? IN ('', ref) ORDER BY created"
        for (data,) in self._db.execute(query, (ref,)).fetchall():
            yield control_pb2.BuildHistoryRecord.FromString(data)

    def logs(self, ref: str) -> str | None:
        """Return the path of a recorded build's log: all StatusResponses, each after its length. None for an
        unknown build."""
        for record in self.recorded(ref) if ref else ():
            return self._blobs.path(record.logs.digest)
        return None

    def pin(self, ref: str, pinned: bool) -> list[BuildHistoryEvent]:
        """Pin a record, or unpin it. Raises KeyError."""
        for record in self.recorded(ref) if ref else ():
            record.pinned = pinned
            record.Generation += 1
            with self._transaction():
                query = "UPDATE build SET pinned = ?, record = ? WHERE ref = ?"
                self._db.execute(query, (pinned, record.SerializeToString(), ref))
            return [_event(control_pb2.COMPLETE, record)]
        raise KeyError(ref)

    def delete(self, ref: str) -> list[BuildHistoryEvent]:
        """Delete a record. Raises KeyError."""
        if not self._delete(ref):
            raise KeyError(ref)
        return [_event(control_pb2.DELETED, control_pb2.BuildHistoryRecord(Ref=ref))]

    def close(self) -> None:
        """Record builds under way as failed, and close. Idempotent."""
        for build in list(self._running.values()):
            self._complete(build, failure=_lost_status())
        self._running.clear()
        self._db.close()

    # Parts

    def _has(self, record: BuildHistoryRecord) -> bool:
        query = "SELECT 1 FROM build WHERE ref = ? AND created = ?"
        return bool(self._db.execute(query, (record.Ref, record.CreatedAt.ToNanoseconds())).fetchone())

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _complete(
        self,
        build: RunningBuild,
        response: Mapping[str, str] | None = None,
        facts: Mapping[str, Any] | None = None,
        failure: bytes | None = None,
    ) -> BuildHistoryRecord:
        record, facts = build.record, facts or {}
        record.CompletedAt.GetCurrentTime()
        record.numTotalSteps, record.numCachedSteps, record.numCompletedSteps = build.steps
        record.numWarnings = build.warnings
        digest, size = self._blobs.link_file(build.log)
        record.logs.media_type, record.logs.digest, record.logs.size = LOGS, digest, size
        record.ExporterResponse.update(facts.get("metadata", {}))
        record.ExporterResponse.update(response or {})
        digests = {digest}
        if failure is not None:
            digests.add(self._put_failure(record, failure))
        digests |= self._put_attestations(record, facts.get("attestations", ()))
        digests |= self._put_results(record, facts.get("results", {}))
        # A client may use a ref again: the earlier record goes, and blobs of both stay.
        self._delete(record.Ref, but=digests)
        with self._transaction():
            times = (record.CreatedAt.ToNanoseconds(), record.CompletedAt.ToNanoseconds())
            data = record.SerializeToString()
            self._db.execute("INSERT INTO build VALUES (?, ?, ?, 0, ?)", (record.Ref, *times, data))
            self._db.executemany("INSERT INTO blob VALUES (?, ?)", [(blob, record.Ref) for blob in digests])
        build.end()
        return record

    def _put_failure(self, record: BuildHistoryRecord, failure: bytes) -> str:
        """Put the failure into the record: its message, with the details in a blob."""
        record.error.ParseFromString(failure)
        del record.error.details[:]
        digest = self._blobs.put(failure)
        error = record.externalError
        error.media_type, error.digest, error.size = ERROR, digest, len(failure)
        return digest

    def _put_attestations(
        self, record: BuildHistoryRecord, attestations: Iterable[tuple[str, str, bytes]]
    ) -> set[str]:
        digests = set()
        for platform, kind, data in attestations:
            digest = self._blobs.put(data)
            digests.add(digest)
            result = record.Results[platform] if platform else record.Result
            result.Attestations.add(
                media_type=PREDICATE, digest=digest, size=len(data), annotations={PREDICATE_TYPE: kind}
            )
        return digests

    def _put_results(self, record: BuildHistoryRecord, results: Mapping[int, Mapping[str, Any]]) -> set[str]:
        """Link the blobs of the results, and record those that exist: a prune of the store may have removed
        others."""
        digests: set[str] = set()
        for number, stored in sorted(results.items()):
            members = reachable(self._stored, [stored["digest"]], layers=False)
            linked = {digest for digest in members if self._blobs.link(digest)}
            digests |= linked
            if stored["digest"] not in linked:
                continue
            descriptor = record.Result.Results[int(number)]
            descriptor.media_type, descriptor.digest = stored.get("mediaType", ""), stored["digest"]
            descriptor.size = stored.get("size", 0)
            descriptor.annotations.update(stored.get("annotations") or {})
            if not record.Result.ResultDeprecated.digest:
                record.Result.ResultDeprecated.CopyFrom(descriptor)
        return digests

    def _delete(self, ref: str, but: Collection[str] = ()) -> bool:
        """Delete a record, and the blobs that no other record has except those of `but`; return whether it
        existed."""
        with self._transaction():
            mine = {str(row[0]) for row in self._db.execute("SELECT digest FROM blob WHERE ref = ?", (ref,))}
            deleted = self._db.execute("DELETE FROM build WHERE ref = ?", (ref,)).rowcount
            shared = {
                digest
                for digest in mine
                if self._db.execute("SELECT 1 FROM blob WHERE digest = ?", (digest,)).fetchone()
            }
        for digest in mine - shared - set(but):
            self._blobs.remove(digest)
        return bool(deleted)

    def _expire(self) -> list[BuildHistoryEvent]:
        """Delete expired records; return the events for listeners."""
        # SQLite takes an OFFSET behind a LIMIT only; -1 is none.
        rows = self._db.execute(
            "SELECT ref, completed FROM build WHERE NOT pinned ORDER BY completed DESC LIMIT -1 OFFSET ?",
            (self._max_entries,),
        ).fetchall()
        before = time.time_ns() - self._max_age
        return [event for ref, completed in rows if completed < before for event in self.delete(ref)]


def _event(type: control_pb2.BuildHistoryEventType, record: BuildHistoryRecord) -> BuildHistoryEvent:
    return control_pb2.BuildHistoryEvent(type=type, record=record)


def _lost_status() -> bytes:
    from google.rpc.status_pb2 import Status

    return bytes(Status(code=14, message="the daemon ended during the build").SerializeToString())
