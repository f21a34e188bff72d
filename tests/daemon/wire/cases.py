"""Cases that are graphs by name, and what becomes of them: recorded of Docker's BuildKit in a file beside the test,
asked of both daemons.

All cases of a file are states of one build, whose frontend is the test: it solves each and reads what is in it.
`PYBUILD_WRITE_CASES=1` records anew what Docker's BuildKit makes of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.daemon.client.bridge import Gateway
from tests.daemon.client.definitions import Graph
from tests.daemon.client.failure import Failure
from tests.daemon.client.gomode import from_go
from tests.daemon.client.serving import Offer
from tests.daemon.client.solving import ask
from tests.support.daemons import HOST_NETWORK, Peer

from pybuild.compiler.protos import fsutil_pb2
from pybuild.lang.diagnostics import UserError

WRITE = os.environ.get("PYBUILD_WRITE_CASES") == "1"
Cases = Mapping[str, Callable[[], Graph]]

_KINDS = {0o040000: "d", 0o120000: "l", 0o100000: "-", 0o020000: "c", 0o010000: "p"}
_LIMIT = 60


def outcomes(peer: Peer, cases: Cases, *offers: Offer, times: bool = False) -> dict[str, str]:
    """What became of each case: its files, a line each, or `failed`. `times` shows those of modification."""

    def frontend(gateway: Gateway) -> dict[str, str]:
        return {name: _outcome(gateway, make, times) for name, make in cases.items()}

    return ask(peer.daemon, frontend, *offers, entitlements=[HOST_NETWORK])


def recorded(file: Path, peer: Peer, found: Mapping[str, str]) -> dict[str, str]:
    """The outcomes in the file; when cases are recorded, those of Docker's BuildKit are written to it first."""
    if WRITE and peer.is_docker:
        file.write_text("".join(f"## {name}\n{text}" for name, text in found.items()))
    sections = re.split(r"^## (.*)\n", file.read_text(), flags=re.M)[1:]
    return dict(zip(sections[::2], sections[1::2], strict=True))


def _outcome(gateway: Gateway, make: Callable[[], Graph], times: bool) -> str:
    try:
        ref = gateway.ref(make(), evaluate=True)
    except (Failure, UserError):
        return "failed\n"
    return "".join(f"{line}\n" for line in _files(gateway, ref, "", times))


def _files(gateway: Gateway, ref: str, inside: str, times: bool) -> Iterator[str]:
    for entry in gateway.read_dir(ref, inside or "/"):
        path = f"{inside}/{entry.path}"
        mode = from_go(entry.mode)
        kind = _KINDS.get(mode & 0o170000, "?")
        words = [kind, f"{mode & 0o7777:04o}", f"{entry.uid}:{entry.gid}", path[1:]]
        if times and kind != "d":
            words.append(f"@{entry.modTime // 10**9}")
        if kind == "-":
            words.append(_content(gateway, ref, path, entry))
        elif kind == "l":
            words.append(f"-> {entry.linkname}")
        yield " ".join(words)
        if kind == "d":
            yield from _files(gateway, ref, path, times)


def _content(gateway: Gateway, ref: str, path: str, entry: fsutil_pb2.Stat) -> str:
    if entry.size > _LIMIT:
        return f"{entry.size} bytes"
    return repr(gateway.read_file(ref, path).decode("latin-1")) if entry.size else "''"
