"""Write invocation records, which `replay.replay` checks before it skips a build.

A record is only written after a build all of whose inputs are known to be unchanged since they were read. None is
written for files modified within the clock's granularity before the build began, a context from standard input, or
an output that must be made again each time.
"""

from __future__ import annotations

import marshal
import os
import stat
from io import StringIO
from zlib import crc32

from pybuild.lang.diagnostics import UserError, visible
from pybuild.lang.dockerfile.wildcard import has_wildcard
from pybuild.replay import replay, signatures
from pybuild.runtime.sources.expansion import expand, look_up
from pybuild.runtime.sources.statcache import FINE_GRAIN, at_rest, grain, settled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from pybuild.runtime.snapshots.types import Node, Resolution
    from pybuild.runtime.sources.local import LocalTree

    Listed = tuple[bytes, dict[bytes, bool], list[bytes]]

KEPT = 200
"""Maximum number of records in a store; the oldest are removed."""


class Unrecordable(Exception):
    """The build depends on something that a record can't hold."""


class Finished:
    """A finished build, as its record holds it.

    `request` and `plan` are values of built-in types; the plan depends on the consulted files that it names
    and on what was read of `plan_trees`. `trees` are the local directories that the build read, `blobs` the
    files of the store that its outputs need, `outputs` the files that it wrote. `generation` is the store's
    generation while names were looked up. `stdout` and `stderr` are what a replay prints, `warnings` those of
    the frontend, which a rebuild repeats.
    """

    __slots__ = (
        "blobs",
        "generation",
        "outputs",
        "plan",
        "plan_trees",
        "request",
        "stderr",
        "stdout",
        "trees",
        "warnings",
    )

    def __init__(
        self,
        request: Mapping[str, Any],
        plan: Mapping[str, Any],
        *,
        plan_trees: Sequence[LocalTree],
        trees: Sequence[LocalTree],
        blobs: Sequence[str],
        outputs: Iterable[str],
        generation: str,
        stdout: str,
        stderr: str,
        warnings: str,
    ) -> None:
        self.request = request
        self.plan = plan
        self.plan_trees = plan_trees
        self.trees = trees
        self.blobs = blobs
        self.outputs = outputs
        self.generation = generation
        self.stdout = stdout
        self.stderr = stderr
        self.warnings = warnings


def write(argv: Sequence[str], build: Finished) -> None:
    """Write the record of a finished build; nothing if it depends on what can't be recorded."""
    begun = signatures.BEGUN
    try:
        for state in build.plan["consulted"].values():
            _check(state, begun)
        parts = [part for tree in build.plan_trees for part in _parts(tree, begun)]
        record = {
            "variables": replay.variables(build.plan["names"]),
            "outputs": [(path, _output_signature(path)) for path in sorted(build.outputs)],
            "generation": build.generation,
            "blobs": list(build.blobs),
            "parts": [part for tree in build.trees for part in _parts(tree, begun)],
            "stdout": build.stdout,
            "stderr": build.stderr,
            "warnings": build.warnings,
            "plan": {**build.plan, "parts": (*build.plan["parts"], *parts)},
            "request": build.request,
        }
        _store(replay.record_path(argv), marshal.dumps(record))
    except (Unrecordable, UserError, OSError, ValueError):
        return  # a record saves time, and nothing depends on it


def _store(path: str, body: bytes) -> None:
    """Write the record at `path`, atomically. Raises OSError."""
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    temporary = f"{path}.{os.urandom(6).hex()}"
    try:
        with open(temporary, "wb") as file:
            file.write(replay.FORMAT + crc32(body).to_bytes(4, "little") + body)
        os.rename(temporary, path)
    except OSError:
        _unlink(temporary)
        raise
    _remove_oldest(directory)


def replayed_text(steps: Sequence[str], *, plain: bool) -> str:
    """Return the progress text of a replayed build: every step is cached."""
    if not plain:
        return ""
    out = StringIO()
    for number, name in enumerate(map(visible, steps), 1):
        out.write(f"#{number} {name}\n#{number} CACHED\n\n")
    return out.getvalue()


def _check(signature: signatures.Signature | None, begun: int) -> None:
    """Raises Unrecordable for a file whose signature does not show every later change."""
    # A directory's signature has two members; [3] of a file's is its ctime.
    if signature == signatures.UNKNOWN or (
        signature is not None and len(signature) > 2 and not at_rest(signature[3], begun)
    ):
        raise Unrecordable


def _output_signature(path: str) -> tuple[int, ...]:
    """Return the signature of an output file. Raises Unrecordable for one that is written each time (a pipe),
    and if the clock is too coarse to show a change right after the build."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode) or grain(status.st_ctime_ns) > FINE_GRAIN:
        raise Unrecordable(path)
    return signatures.signature(status)


def _parts(tree: LocalTree, begun: int) -> list[signatures.Part]:
    """Return the state of all files that the tree's selected paths lead to, as the build saw it, in one part
    or two of the same size. Raises Unrecordable."""
    directories: dict[bytes, Listed] = {}
    singles: dict[bytes, bytes] = {}
    for pattern in tree.selected or (b"",):
        expansion = expand(tree, os.fsdecode(pattern), follow=True)
        if expansion.base is not None:
            _collect_listings(tree, expansion.base, pattern, directories, begun)
            _collect_path(tree, expansion.base, singles, begun)
        for path in expansion.paths:
            resolution = look_up(tree, path)
            _collect_path(tree, resolution, singles, begun)
            if resolution.node is not None and stat.S_ISDIR(resolution.node.stat.st_mode):
                _collect_below(tree, resolution.path, directories, begun)
    listed = list(directories.values())
    total = sum(len(rows) for _, _, rows in listed)
    if total < signatures.FORKED:
        return [_part(listed, singles)]
    half, count, split = total // 2, 0, 0
    for _, _, rows in listed:
        if count >= half:
            break
        count += len(rows)
        split += 1
    return [_part(listed[:split], singles), _part(listed[split:], {})]


def _collect_path(tree: LocalTree, resolution: Resolution, out: dict[bytes, bytes], begun: int) -> None:
    """Collect everything on the way of a path: links, directories above, and the file or directory at its
    end."""
    for link in resolution.links:
        _collect_parents(tree, link.path, out)
        _collect_entry(tree, link.path, link, out, begun)
    _collect_parents(tree, resolution.path, out)
    if resolution.path:
        _collect_entry(tree, resolution.path, resolution.node, out, begun)


def _collect_parents(tree: LocalTree, path: bytes, out: dict[bytes, bytes]) -> None:
    parent = path.rpartition(b"/")[0]
    while parent:
        node = tree.lstat(parent)
        if node is not None and stat.S_ISDIR(node.stat.st_mode):
            _collect_entry(tree, parent, node, out, 0)
        parent = parent.rpartition(b"/")[0]


def _collect_entry(
    tree: LocalTree, path: bytes, node: Node | None, out: dict[bytes, bytes], begun: int
) -> None:
    real = os.path.join(tree.root, path)
    if node is not None:
        out[real] = signatures.row(real, _require_settled(node, begun).stat)
    elif tree.left_out(path):
        raise Unrecordable(path)  # ignored: whatever it is, it might as well not be there
    else:
        out[real] = signatures.absent(real)


def _collect_listings(
    tree: LocalTree, base: Resolution, pattern: bytes, out: dict[bytes, Listed], begun: int
) -> None:
    """Collect the directories in which a pattern's wildcards look for names."""
    if base.node is None or not stat.S_ISDIR(base.node.stat.st_mode):
        return
    parts = [part for part in os.path.normpath(b"/" + pattern).split(b"/") if part]
    plain = next(n for n, part in enumerate(parts) if has_wildcard(os.fsdecode(part)))
    directories = [base.path]
    for _ in parts[plain:]:
        for path in directories:
            out.setdefault(path, _directory(tree, path, begun))
        directories = [
            node.path for path in directories for node in tree.list(path) if stat.S_ISDIR(node.stat.st_mode)
        ]


def _collect_below(tree: LocalTree, top: bytes, out: dict[bytes, Listed], begun: int) -> None:
    """Collect the directory `top` and those in it, ignored ones that may hold exceptions too."""
    pending = [top]
    while pending:
        path = pending.pop()
        listing = out.setdefault(path, _directory(tree, path, begun))
        pending += [node.path for node in tree.list(path) if stat.S_ISDIR(node.stat.st_mode)]
        below = [os.path.join(path, name) for name, directory in listing[1].items() if directory]
        pending += [child for child in below if tree.searched(child)]


def _directory(tree: LocalTree, path: bytes, begun: int) -> Listed:
    start = len(path) + 1 if path else 0
    rows = [signatures.row(node.path[start:], _require_settled(node, begun).stat) for node in tree.list(path)]
    real = os.path.join(tree.root, path) if path else tree.root
    return real, dict(tree.ignored(path)), rows


def _require_settled(node: Node, begun: int) -> Node:
    """Return the node if its state shows every later change. Raises Unrecordable."""
    if not stat.S_ISDIR(node.stat.st_mode) and not settled(node.stat, begun):
        raise Unrecordable(node.path)
    return node


def _part(directories: Sequence[Listed], singles: Mapping[bytes, bytes]) -> signatures.Part:
    state = signatures.hasher()
    for path, _, rows in directories:
        state.update(signatures.listing(path, rows))
    for row in singles.values():
        state.update(row)
    return tuple((path, ignored) for path, ignored, _ in directories), tuple(singles), state.digest()


def _remove_oldest(directory: str) -> None:
    """Remove the oldest records. Other processes may do so at the same time."""
    records = []
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        try:
            records.append((os.stat(path).st_mtime_ns, path))
        except FileNotFoundError:
            continue
    records.sort()
    for _, path in records[:-KEPT]:
        _unlink(path)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
