"""Values of flags: from the user's texts to the values in a BuildRequest.

Every function raises UsageError for an invalid value, with the value and the form that is expected.
"""

from __future__ import annotations

import re

from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import UsageError, suggest
from pybuild.request.flags import ENTITLEMENTS, NETWORKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeVar

    V = TypeVar("V")

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgtp])i?)?b?", re.IGNORECASE)
LIMITS = (
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
    "rttime", "sigpending", "stack",
)  # fmt: skip
_DEVICE = "write --allow device, or --allow device=VENDOR/CLASS=NAME[,alias=OTHER]"


def boolean(text: str, flag: str) -> bool:
    """Parse a boolean in the spellings of Go's flag package."""
    on = truth(text)
    if on is None:
        raise UsageError(f"invalid value {text!r} of {flag}", help="give true or false")
    return on


def known(word: str, words: Sequence[str], what: str) -> str:
    """Return `word` if it is one of `words`; `what` says what they are."""
    if word not in words:
        near = suggest(word, words)
        raise UsageError(
            f"unknown {what} {word!r}",
            help=f"did you mean {near}?" if near else "choose one of " + ", ".join(words),
        )
    return word


def epoch_of(text: str) -> int | None:
    """Parse the value of SOURCE_DATE_EPOCH; None if it is empty."""
    if not text:
        return None
    from pybuild.runtime.export.output import source_date_epoch

    return source_date_epoch(text)


def build_args(texts: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    """Parse `NAME=VALUE`, or `NAME`, whose value None stands for the environment's."""
    pairs: list[tuple[str, str | None]] = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not name:
            raise UsageError(f"build argument {text!r} has no name", help="write --build-arg NAME=VALUE")
        pairs.append((name, value if equals else None))
    return last_of_each(pairs)


def build_contexts(texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value:
            raise UsageError(
                f"invalid build context {text!r}",
                help="write --build-context NAME=VALUE, the value being a directory, docker-image://REF, "
                "oci-layout://DIR, docker-archive:FILE, host:COMMANDS, target:STAGE or the address of a git "
                "repository or an archive",
            )
        pairs.append((name, value))
    return last_of_each(pairs)


def labels(texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Parse `NAME=VALUE`; without `=` the value is empty."""
    pairs = []
    for text in texts:
        name, _, value = text.partition("=")
        if not name:
            raise UsageError(f"label {text!r} has no name", help="write --label NAME=VALUE")
        pairs.append((name, value))
    return last_of_each(pairs)


def params(texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Parse `NAME=VALUE` texts, one for each name. Raises UsageError."""
    pairs = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(
                f"invalid param {text!r}", help="write -p NAME=VALUE; -p NAME= is the empty value"
            )
        pairs.append((name, value))
    return tuple(dict(pairs).items())


def annotation_texts(texts: Iterable[str]) -> tuple[str, ...]:
    """Check `[TYPE:]NAME=VALUE` texts and return them as they are; the exporter knows the types."""
    kept = tuple(texts)
    for text in kept:
        if not text.partition("=")[0] or "=" not in text:
            raise UsageError(f"invalid annotation {text!r}", help="write --annotation NAME=VALUE")
    return kept


def listed(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the items of texts that may each hold several, separated by commas."""
    items = (item.strip() for text in texts for item in text.split(","))
    return tuple(dict.fromkeys(item for item in items if item))


def network(text: str) -> str:
    if text not in NETWORKS:
        raise UsageError(f"unknown network mode {text!r}", help="choose one of " + ", ".join(NETWORKS))
    return text


def entitlements(texts: Iterable[str]) -> tuple[str, ...]:
    """Parse names separated by commas; `device=NAME[,alias=OTHER]` and `read=PATH` stand alone."""
    names: list[str] = []
    for text in texts:
        if text.startswith("device="):
            names.append(_device(text))
        else:
            names += [text] if text.startswith("read=") else listed([text])
    for name in names:
        if name in ENTITLEMENTS or name.startswith(("device=", "read=")):
            continue
        near = suggest(name, ENTITLEMENTS)
        raise UsageError(
            f"unknown entitlement {name!r}",
            help=f"did you mean {near}?" if near else "choose from " + ", ".join(ENTITLEMENTS),
        )
    return tuple(dict.fromkeys(names))


def _device(text: str) -> str:
    from pybuild.runtime.ops.entitlements import device_grant

    try:
        name, _ = device_grant(text)
    except ValueError as error:
        raise UsageError(f"--allow {text}: {error}", help=_DEVICE) from None
    if not name:
        raise UsageError(f"--allow {text}: the device has no name", help=_DEVICE)
    return text


def add_hosts(texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Parse `HOST:IP` or `HOST=IP`; an IPv6 address may stand in brackets."""
    from ipaddress import ip_address

    pairs = []
    for text in listed(texts):
        host, separator, address = text.partition("=" if "=" in text else ":")
        if address.startswith("[") and address.endswith("]"):
            address = address[1:-1]
        if address == "host-gateway":
            raise UsageError(f"{text!r}: host-gateway is not supported by this version of pybuild")
        try:
            ip_address(address)
        except ValueError:
            host = ""
        if not host or not separator:
            raise UsageError(f"invalid host entry {text!r}", help="write --add-host NAME:ADDRESS")
        pairs.append((host, address))
    return tuple(pairs)


def ulimits(texts: Iterable[str]) -> tuple[tuple[str, int, int], ...]:
    """Parse `TYPE=SOFT[:HARD]`; -1 is unlimited, and the hard limit defaults to the soft one."""
    limits: dict[str, tuple[str, int, int]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        soft_text, colon, hard_text = values.partition(":")
        if name not in LIMITS:
            near = suggest(name, LIMITS)
            raise UsageError(
                f"unknown resource limit {name!r}",
                help=f"did you mean {near}?" if near else "choose from " + ", ".join(LIMITS),
            )
        try:
            soft = int(soft_text)
            hard = int(hard_text) if colon else soft
        except ValueError:
            raise UsageError(f"invalid ulimit {text!r}", help=f"write --ulimit {name}=SOFT[:HARD]") from None
        if min(soft, hard) < -1:
            raise UsageError(f"ulimit {text!r} is negative", help="write -1 for no limit")
        if hard != -1 and (soft > hard or soft == -1):
            raise UsageError(f"the soft limit of {text!r} is above the hard one")
        limits[name] = (name, soft, hard)
    return tuple(limits.values())


def size(text: str) -> int:
    """Parse a number of bytes, with k, m, g, t or p for powers of 1024: `64m`, `1.5g`, `67108864`."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"invalid size {text!r}", help="write a number of bytes, or one like 64m or 1g")
    power = " kmgtp".index((match[2] or " ").lower())
    return int(float(match[1]) * 1024**power)


def parallelism(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise UsageError(f"invalid number of parallel steps {text!r}", help="give a number from 1")
    return count


def no_attestation(flag: str, text: str) -> None:
    """Accept the values that switch an attestation off; no other is possible."""
    words = dict(part.partition("=")[::2] for part in text.split(","))
    if truth(text) is False or truth(words.get("disabled", "")):
        return
    kind = words.get("type") or flag.removeprefix("--")
    raise UsageError(
        f"attestations ({kind}) are not supported by this version of pybuild",
        help=f"leave {flag} out, or switch it off: {flag} "
        + ("type=…,disabled=true" if flag == "--attest" else "false"),
    )


def last_of_each(pairs: Iterable[tuple[str, V]]) -> tuple[tuple[str, V], ...]:
    """Return one pair for each name: the last value, at the place of the first."""
    return tuple(dict(pairs).items())


def secrets(texts: Iterable[str]) -> tuple[str, ...]:
    """Check texts `id=ID[,type=file|env][,src=PATH][,env=NAME]` and that their files exist, and return them
    as they are."""
    from pybuild.runtime.session.secrets import parse

    kept = tuple(texts)
    for text in kept:
        parse(text)
    return kept


def agents(texts: Iterable[str]) -> tuple[str, ...]:
    """Check texts `ID[=SOCKET|KEY[,KEY…]]`, that their files exist and their keys need no passphrase, and
    return them as they are."""
    from pybuild.runtime.session.agents import parse_all

    kept = tuple(texts)
    parse_all(kept)
    return kept
