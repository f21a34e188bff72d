"""What goes between a program and its workers arrives as it was sent."""

from __future__ import annotations

import socket
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybuild.build.channel import Channel
from pybuild.builder.errors import InternalError, diagnostic_of, error_of, plain_diagnostic, plain_error
from pybuild.builder.events import Sender, deliver
from pybuild.compiler.ops import ExecOp, Meta
from pybuild.compiler.options import Options
from pybuild.lang.diagnostics import (
    Cancelled,
    Diagnostic,
    Edit,
    Label,
    SourceErrors,
    UsageError,
    UserError,
    render,
)
from pybuild.lang.source import Source, Span
from pybuild.runtime.ops.failures import StepFailed
from pybuild.runtime.ops.stepoutput import StepOutput
from pybuild.runtime.progress.observer import Observer, StatusEvent, VertexEvent
from pybuild.runtime.sandbox.errors import SandboxError
from pybuild.runtime.sandbox.executor import ExitCode

SOURCE = Source("dir/build.pybuild", "one\ntwo three\nfour\n")
spans = st.builds(
    Span, st.just(SOURCE), st.integers(1, 3), st.integers(1, 5), st.integers(1, 3), st.integers(1, 9)
)
words = st.text(max_size=8)
diagnostics = st.builds(
    Diagnostic,
    words,
    labels=st.lists(st.builds(Label, spans, words, primary=st.booleans()), max_size=3),
    notes=st.lists(st.tuples(st.sampled_from(["help", "note", "output"]), words), max_size=3),
    code=st.none() | st.just("E0503"),
    level=st.sampled_from(["error", "warning"]),
    url=words,
    edits=st.lists(st.builds(Edit, spans, words), max_size=2),
)


@settings(max_examples=15)
@given(diagnostics)
def test_diagnostics(one: Diagnostic) -> None:
    found = diagnostic_of(plain_diagnostic(one))
    assert render(found) == render(one)
    assert [(edit.span.place, edit.text) for edit in found.edits] == [
        (edit.span.place, edit.text) for edit in one.edits
    ]


@pytest.mark.parametrize(
    "error", [UserError("a", help="b"), UsageError("c"), Cancelled(), SandboxError("d", help="e")]
)
def test_errors_keep_their_class(error: UserError) -> None:
    found = error_of(plain_error(error))
    assert type(found) is type(error)
    assert isinstance(found, UserError)
    assert (str(found), found.exit_code) == (str(error), error.exit_code)


def test_errors_of_several_places() -> None:
    places = [
        Diagnostic("first", level="warning"),
        Diagnostic("second", labels=[Label(Span(SOURCE, 2, 5, 2, 10))], code="R0002"),
    ]
    found = error_of(plain_error(SourceErrors(places)))
    assert isinstance(found, SourceErrors)
    assert list(map(render, found.diagnostics)) == list(map(render, places))
    assert (found.exit_code, str(found)) == (1, "second")
    assert "two three" in "".join(found.__notes__)


def test_a_failed_step_keeps_its_data() -> None:
    vertex = Options(name="[a 1/1] run false").vertex(ExecOp(Meta(args=("false",))))
    written = StepOutput()
    written.add(b"one\ntwo\n")
    found = error_of(plain_error(StepFailed(vertex, ExitCode(3), written, seconds=1.5)))
    assert isinstance(found, StepFailed)
    assert (found.code, found.output, found.seconds) == (3, ("one", "two"), 1.5)
    assert (found.vertex.digest, found.vertex.name) == (vertex.digest, vertex.name)


def test_the_machines_failures_are_user_errors() -> None:
    found = error_of(plain_error(OSError(28, "No space left on device", "/store")))
    assert type(found) is UserError
    assert "no space left on device: /store" in str(found)


def test_bugs_are_told_with_their_traceback() -> None:
    try:
        raise KeyError("a bug")
    except KeyError as error:
        found = error_of(plain_error(error))
    assert isinstance(found, InternalError)
    assert 'File "' in found.details
    assert "KeyError: 'a bug'" in str(found)


def test_a_class_that_is_not_there() -> None:
    plain = plain_error(UserError("of a plugin"))
    for place in (("no.such.module", "Wrong"), ("os", "path"), ("builtins", "OSError")):
        assert type(error_of({**plain, "class": place})) is UserError


class Heard(Observer):
    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def start(self) -> None:
        self.events.append(("start",))

    def vertex(self, event: VertexEvent) -> None:
        self.events.append(tuple(getattr(event, name) for name in VertexEvent.__slots__))

    def status(self, event: StatusEvent) -> None:
        self.events.append(tuple(getattr(event, name) for name in StatusEvent.__slots__))

    def log(self, vertex: str, stream: int, data: bytes) -> None:
        self.events.append((vertex, stream, data))

    def warning(self, vertex: str, diagnostic: Diagnostic) -> None:
        self.events.append((vertex, render(diagnostic)))

    def notice(self, text: str) -> None:
        self.events.append((text,))


def test_events() -> None:
    def happen(observer: Observer) -> None:
        observer.start()
        observer.vertex(
            VertexEvent("d", "n", ["i"], started=1.0, completed=2.0, cached=True, error="e", group="g")
        )
        observer.status(StatusEvent("d", "s", current=1, total=2, timestamp=3.0, started=1.0, completed=2.0))
        observer.log("d", 2, b"\xff\0")
        observer.warning("", Diagnostic("w", level="warning"))
        observer.notice("text")

    direct, remote = Heard(), Heard()
    started: list[bool] = []
    happen(direct)
    happen(Sender(lambda event: deliver(event, remote), lambda: started.append(True)))
    assert remote.events == direct.events
    assert started == [True]


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.binary() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=20)
@given(st.lists(plain, max_size=4))
def test_a_channel_keeps_values_and_their_order(values: list[object]) -> None:
    ours, theirs = map(Channel, socket.socketpair())
    for value in values:
        ours.send(value)
    ours.hang_up()
    assert [theirs.receive() for _ in values] == values
    with pytest.raises(EOFError):
        theirs.receive()
    with pytest.raises(OSError, match=r".*"):
        ours.send(None)
    ours.close()
    theirs.close()


def test_a_channel_takes_large_values_of_several_threads() -> None:
    ours, theirs = map(Channel, socket.socketpair())
    sent = [bytes([number]) * 2_000_000 for number in range(4)]
    threads = [Thread(target=ours.send, args=(value,)) for value in sent]
    for thread in threads:
        thread.start()
    assert sorted(theirs.receive() for _ in sent) == sent
    for thread in threads:
        thread.join()
    assert not theirs.readable(0)
    ours.close()
    assert theirs.readable(0)
    theirs.close()
