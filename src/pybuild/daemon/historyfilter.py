"""Filters of build records: `status==error`, `startedAt>24h`, `repository~=github`.

An expression is fields of a line of CSV, all of which hold. Times compare with a time, or with a duration before this
moment; the rest is containerd's filter expressions. Several expressions are an either-or.
"""

from __future__ import annotations

import csv
import time

from pybuild.lang.diagnostics import UserError
from pybuild.lang.dockerfile.durations import parse_duration
from pybuild.runtime.content.filters import FilterError, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pybuild.compiler.protos.control_pb2 import BuildHistoryRecord

    Test = Callable[[BuildHistoryRecord], bool]

SECOND = 1_000_000_000
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}


def select(
    records: Iterable[BuildHistoryRecord], filters: Sequence[str], limit: int
) -> list[BuildHistoryRecord]:
    """Return the records that match; with a limit the latest ones, the latest first. Raises UserError."""
    if limit < 0:
        raise UserError(f"invalid limit {limit}")
    tests = [_test(text) for text in filters]
    matches = [record for record in records if not tests or any(test(record) for test in tests)]
    if limit:
        matches.sort(key=lambda record: record.CreatedAt.ToNanoseconds(), reverse=True)
        del matches[limit:]
    return matches


def _test(text: str) -> Test:
    tests: list[Test] = []
    expressions = []
    for field in next(csv.reader([text]), []):
        test = _time_test(field)
        if test is None:
            expressions.append(field)
        else:
            tests.append(test)
    try:
        matches_expressions = parse(",".join(expressions))
    except FilterError as error:
        raise UserError(f"failed to parse history filters {text}: {error}") from None
    return lambda record: (
        all(test(record) for test in tests) and matches_expressions(lambda path: _field(record, path))
    )


def _time_test(field: str) -> Test | None:
    """Return the predicate of a comparison of times, None for another expression. Raises UserError."""
    sign = next((sign for sign in _COMPARISONS if sign in field), "")
    key, _, value = field.partition(sign) if sign else (field, "", "")
    if key not in _TIMES:
        return None
    limit, measure, compare = _limit(key, value), _TIMES[key], _COMPARISONS[sign]
    return lambda record: compare(measure(record), limit)


def _limit(key: str, value: str) -> int:
    try:
        duration = parse_duration(value)
    except ValueError:
        if key == "duration":
            raise UserError(f"invalid duration {value}") from None
        return _moment(value)
    return duration if key == "duration" else (time.time_ns() - duration) // SECOND


def _moment(value: str) -> int:
    """Return a time in RFC 3339 as seconds since the epoch."""
    from google.protobuf.timestamp_pb2 import Timestamp

    timestamp = Timestamp()
    try:
        timestamp.FromJsonString(value)
    except ValueError:
        raise UserError(f"invalid time {value}") from None
    return timestamp.seconds


def _duration(record: BuildHistoryRecord) -> int:
    if not record.HasField("CompletedAt"):
        return 0
    return record.CompletedAt.ToNanoseconds() - record.CreatedAt.ToNanoseconds()


_TIMES: dict[str, Callable[[BuildHistoryRecord], int]] = {
    "startedAt": lambda record: record.CreatedAt.seconds,
    "completedAt": lambda record: record.CompletedAt.seconds,
    "duration": _duration,
}


def _field(record: BuildHistoryRecord, path: Sequence[str]) -> str | None:
    if path[0] == "ref":
        return record.Ref or None
    if path[0] == "status":
        return _state(record)
    if path[0] == "repository":
        return _repository(record)
    return None


def _state(record: BuildHistoryRecord) -> str:
    if not record.HasField("CompletedAt"):
        return "running"
    if not record.HasField("error"):
        return "completed"
    return "canceled" if "context canceled" in record.error.message else "error"


def _repository(record: BuildHistoryRecord) -> str | None:
    """Return the repository that the build's context came from."""
    attributes = record.FrontendAttrs
    if "vcs:source" in attributes:
        return attributes["vcs:source"]
    from pybuild.compiler.giturl import parse_git_ref

    ref = parse_git_ref(attributes["context"]) if "context" in attributes else None
    return None if ref is None else ref.remote
