"""The history as clients see it: listened to, read, changed, and after the daemon's death."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from pathlib import Path

import grpc
import pytest
from tests.daemon.client.control import Daemon
from tests.daemon.client.failure import Failure
from tests.daemon.client.running import Running
from tests.daemon.client.solving import Build, SolveFailed, solve

from pybuild.compiler.protos.control_pb2 import COMPLETE, DELETED, STARTED, BuildHistoryEvent
from pybuild.compiler.state import State, copy, mkfile
from pybuild.daemon.historylog import LENGTH

pytestmark = pytest.mark.root

FINE = State.scratch().file(mkfile("/a", b"a"))
WRONG = State.scratch().file(copy(FINE, "/missing", "/b"))


class Listener:
    """Hears of builds, in a thread."""

    def __init__(self, daemon: Daemon, ref: str = "") -> None:
        self.heard: list[BuildHistoryEvent] = []
        self._changed = threading.Condition()
        self._events = daemon.history(ref, early_exit=False)
        threading.Thread(target=self._listen, daemon=True).start()

    def wait(self, count: int) -> list[tuple[int, str]]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.heard) >= count, 10)
            return [(event.type, event.record.Ref) for event in self.heard]

    def _listen(self) -> None:
        try:
            for event in self._events:
                with self._changed:
                    self.heard.append(event)
                    self._changed.notify_all()
        except Failure:
            pass  # the test is over


def test_builds_are_heard_of_and_told_later(lone: Daemon) -> None:
    solve(lone, Build(FINE, ref="before"))
    every, one = Listener(lone), Listener(lone, "good")
    assert every.wait(1) == [(COMPLETE, "before")]
    good = solve(lone, Build(FINE, ref="good", exporters=[], attrs={"x": "y"}))
    with pytest.raises(SolveFailed) as failed:
        solve(lone, Build(WRONG, ref="bad"))
    lone.update_history("before", delete=True)
    lone.update_history("good", pinned=True)
    expected = [
        (COMPLETE, "before"),
        (STARTED, "good"),
        (COMPLETE, "good"),
        (STARTED, "bad"),
        (COMPLETE, "bad"),
        (DELETED, "before"),
        (COMPLETE, "good"),
    ]
    assert every.wait(len(expected)) == expected
    assert one.wait(3) == [(type, ref) for type, ref in expected if ref == "good"]
    records = {event.record.Ref: event.record for event in lone.history()}
    assert list(records) == ["good", "bad"]
    assert records["good"].pinned
    assert records["good"].FrontendAttrs == {"x": "y"}
    assert records["bad"].error.message == failed.value.message
    assert [event.record.Ref for event in lone.history("bad", filters=["status==error"])] == ["bad"]
    assert list(lone.history(active_only=True)) == []

    told = list(lone.status("good"))
    assert told == good.progress.messages
    log = lone.blob(records["good"].logs.digest)
    assert (
        b"".join(LENGTH.pack(len(data)) + data for data in (one.SerializeToString() for one in told)) == log
    )


def test_what_there_is_no_record_of(lone: Daemon) -> None:
    for change in ({"delete": True}, {"pinned": True}):
        with pytest.raises(Failure, match="failed to retrieve ref no: file does not exist"):
            lone.update_history("no", **change)
    lone.update_history("no", finalize=True)
    with pytest.raises(Failure, match="invalid limit -1"):
        list(lone.history(limit=-1))


def test_blobs_are_read_in_parts_and_never_changed(lone: Daemon) -> None:
    solve(lone, Build(FINE, ref="read"))
    (event,) = lone.history("read")
    digest, size = event.record.logs.digest, event.record.logs.size
    whole = lone.blob(digest)
    assert len(whole) == size
    assert lone.blob(digest, offset=3, size=5) == whole[3:8]
    assert lone.blob(digest, offset=size) == b""
    assert (digest, size) in [(info.digest, info.size) for info in lone.contents()]
    for wrong, code in (
        ({"digest": digest, "offset": size + 1}, grpc.StatusCode.OUT_OF_RANGE),
        ({"digest": digest, "size": size + 1}, grpc.StatusCode.OUT_OF_RANGE),
        ({"digest": "sha256:" + "0" * 64}, grpc.StatusCode.NOT_FOUND),
        ({"digest": "sha256:../../x"}, grpc.StatusCode.INVALID_ARGUMENT),
    ):
        with pytest.raises(Failure) as failed:
            lone.blob(**wrong)
        assert failed.value.code == code


def test_a_daemon_that_was_killed_is_remembered() -> None:
    place = Path(tempfile.mkdtemp(prefix="pybuild-store-"))
    first = Running(place)
    with first.connect() as daemon:
        solve(daemon, Build(FINE, ref="over"))
        listener = Listener(daemon, "lost")
        pending = daemon.solve(Build(ref="lost").request(""))  # its frontend never comes
        listener.wait(1)
        first.kill()
        pending.cancel()
    with Running(place) as second, second.connect() as daemon:
        records = {event.record.Ref: event.record for event in daemon.history()}
        assert not records["over"].HasField("error")
        assert records["lost"].error.message == "the daemon ended during the build"
        assert list(daemon.status("lost")) == []
        daemon.clear()
        assert daemon.contents() == []
    assert first.remains() == []
    shutil.rmtree(place)


CONFIG = """
[history]
maxEntries = 0
[[worker.oci.gcpolicy]]
all = true
maxUsedSpace = 1
"""


def test_a_daemon_that_is_to_keep_nothing() -> None:
    place = Path(tempfile.mkdtemp(prefix="pybuild-store-"))
    with Running(place, config=CONFIG) as running, running.connect() as daemon:
        solve(daemon, Build(FINE, ref="one"))
        assert list(daemon.history()) == []
        end = time.monotonic() + 10
        while daemon.disk_usage():
            assert time.monotonic() < end
            time.sleep(0.1)
    shutil.rmtree(place)
