"""Times as Go writes them to JSON: RFC 3339 with up to nine decimals, without trailing zeros."""

from __future__ import annotations

import re

from attrs import frozen

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:(Z)|([+-])(\d\d):(\d\d))", re.ASCII
)
NANOSECONDS = 1_000_000_000


@frozen
class Time:
    """A time: `nanoseconds` since the epoch, shown `offset` minutes east of UTC."""

    nanoseconds: int
    offset: int = 0


def parse_time(text: str) -> Time:
    """Parse an RFC 3339 time. Raises ValueError."""
    from datetime import UTC, datetime

    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"not an RFC 3339 time: {text!r}")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction = int((match[7] or "").ljust(9, "0")[:9])
    offset = 0
    if match[9]:
        offset = (int(match[10]) * 60 + int(match[11])) * (-1 if match[9] == "-" else 1)
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"not an RFC 3339 time: {text!r}: {error}") from None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    seconds = since.days * 86_400 + since.seconds - offset * 60
    return Time(seconds * NANOSECONDS + fraction, offset)


def format_time(time: Time) -> str:
    from datetime import UTC, datetime, timedelta

    seconds, fraction = divmod(time.nanoseconds, NANOSECONDS)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds + time.offset * 60)
    # glibc's %Y doesn't pad years below 1000.
    text = moment.strftime("%Y").zfill(4) + moment.strftime("-%m-%dT%H:%M:%S")
    if fraction:
        text += f".{fraction:09d}".rstrip("0")
    if time.offset == 0:
        return text + "Z"
    hours, minutes = divmod(abs(time.offset), 60)
    return f"{text}{'-' if time.offset < 0 else '+'}{hours:02d}:{minutes:02d}"


def format_seconds(seconds: int) -> str:
    """Format a whole number of seconds since the epoch, in UTC."""
    return format_time(Time(seconds * NANOSECONDS))
