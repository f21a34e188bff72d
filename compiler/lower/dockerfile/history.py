"""Texts of history entries, as BuildKit makes them with Go's `%q`, `%v` and durations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pybuild.compiler.image import Healthcheck
from pybuild.lang.dockerfile.goquote import quote


def quoted_list(words: Iterable[str]) -> str:
    """Format words like Go's `%q` of a slice of strings."""
    return "[" + " ".join(quote(word) for word in words) + "]"


def plain_list(words: Iterable[str]) -> str:
    """Format words like Go's `%v` of a slice of strings."""
    return "[" + " ".join(words) + "]"


def duration(nanoseconds: int) -> str:
    """Format a duration like Go: `1h0m30s`, `1.5s`, `2ms`, `0s`."""
    if nanoseconds < 0:
        return "-" + duration(-nanoseconds)
    for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
        if 0 < nanoseconds < size * 1_000:
            return _decimal(nanoseconds, size) + unit
    minutes, rest = divmod(nanoseconds, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    out = f"{hours}h" if hours else ""
    out += f"{minutes}m" if hours or minutes else ""
    return out + _decimal(rest, 1_000_000_000) + "s"


def _decimal(value: int, size: int) -> str:
    whole, fraction = divmod(value, size)
    digits = str(fraction).zfill(len(str(size)) - 1).rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)


def healthcheck(check: Healthcheck) -> str:
    """Format a health check like Go's `%+v`."""
    return (
        f"HEALTHCHECK {{Test:{plain_list(check.test)} Interval:{duration(check.interval)} "
        f"Timeout:{duration(check.timeout)} StartPeriod:{duration(check.start_period)} "
        f"StartInterval:{duration(check.start_interval)} Retries:{check.retries}}}"
    )


def run(
    args: Sequence[str], build_args: Iterable[tuple[str, str | None]], environment: Mapping[str, str]
) -> str:
    """Format `RUN |2 A=1 B=2 /bin/sh -c make`: the number of arguments in scope, their values, then the command."""
    values: dict[str, str] = {}
    for name, value in build_args:
        values[name] = environment.get(name, value or "")
    words = [f"|{len(values)}", *(f"{name}={value}" for name, value in values.items())] if values else []
    return "RUN " + " ".join((*words, *args))
