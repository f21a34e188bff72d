"""Any text as a mount: it is read or refused, and fields come back as they were written."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import TypeVar

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.compiler.lower.dockerfile.world import lowered

from pybuild.lang.diagnostics import SourceError, UserError
from pybuild.lang.dockerfile.fields import BadFields, split_fields
from pybuild.lang.dockerfile.instructions import RunMount
from pybuild.lang.dockerfile.mount_options import read_options
from pybuild.lang.source import Source, Span

SPAN = Span(Source("Dockerfile", "x"), 1, 1, 1, 2)
NAMES = [
    "type",
    "from",
    "source",
    "src",
    "target",
    "dst",
    "destination",
    "ro",
    "rw",
    "readonly",
    "readwrite",
    "required",
    "id",
    "size",
    "sharing",
    "mode",
    "uid",
    "gid",
    "env",
]
VALUES = [
    "bind",
    "cache",
    "tmpfs",
    "secret",
    "ssh",
    "true",
    "0",
    "shared",
    "locked",
    "0755",
    "4294967296",
    "1m",
    "1.5GiB",
    "1e400",
    "/a",
    "../b",
    "a.b",
    "$PATH",
    "${x",
    "%",
]

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=12)
values = st.none() | st.sampled_from(VALUES) | texts
options = st.lists(st.tuples(st.sampled_from(NAMES) | texts, values), max_size=6)


E = TypeVar("E", bound=Exception)


def refused(kind: type[E], act: Callable[[], object]) -> E | None:
    """The error of this kind that `act` ends with, None if it succeeds; another is a bug."""
    try:
        act()
    except kind as error:
        return error
    return None


@settings(max_examples=150)
@given(st.lists(texts, min_size=1, max_size=5).filter(lambda fields: fields != [""]))
def test_fields_come_back(fields: list[str]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(fields)
    assert split_fields(out.getvalue()) == fields


@settings(max_examples=200)
@given(st.text(st.sampled_from('a=",é'), max_size=10))
def test_what_is_no_list_of_fields_is_refused_where_it_stops(text: str) -> None:
    bad = refused(BadFields, lambda: split_fields(text))
    if bad is None:
        assert len(split_fields(text)) <= text.count(",") + 1
        return
    assert bad.column <= len(text.encode()) + 1
    # Up to the fault it may be the beginning of something: with the quote closed, or before it.
    before = text.encode()[: max(bad.column - 1, 0)].decode()
    assert not text or before.count('"') % 2 or refused(BadFields, lambda: split_fields(before + "a")) is None


@settings(max_examples=300)
@given(options)
@example([("type", "tmpfs"), ("size", "1e400")])
@example([("type", "tmpfs"), ("size", "٣")])
@example([("uid", "²")])
def test_options_are_read_or_refused(given: list[tuple[str, str | None]]) -> None:
    mount = RunMount(SPAN, tuple(given))
    error = refused(SourceError, lambda: read_options(mount, lambda text: text))
    if error is not None:
        assert error.diagnostic.notes
        assert error.diagnostic.labels[0].span is SPAN
        return
    read = read_options(mount, lambda text: text)
    assert 0 <= read.size < 2**63
    assert all(number is None or 0 <= number < 2**32 for number in (read.mode, read.uid, read.gid))


@settings(max_examples=100)
@given(options)
def test_any_mount_of_a_step(given: list[tuple[str, str | None]]) -> None:
    fields = [name if value is None else f"{name}={value}" for name, value in given]
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(fields)
    value = out.getvalue().replace("\\", "\\\\").replace("'", "\\'")
    refused(UserError, lambda: lowered(f"FROM base AS b\nRUN --mount='{value}' x\n"))
