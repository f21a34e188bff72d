"""Writes invocation records: what `cached.replay` checks before it says that nothing has to be done.

A record is written after a build all of whose inputs are known to hold still: files younger than the clock's grain
when the build began, a context from standard input, or an output that must be made anew each time leave none.
"""

from __future__ import annotations

import marshal
import os
import stat
from io import StringIO
from zlib import crc32

from pybuild import cached
from pybuild.runtime.sources.expansion import expand, look_up
from pybuild.runtime.sources.statcache import settled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pybuild.plan import Plan
    from pybuild.request import BuildRequest
    from pybuild.runtime.export.output import Output
    from pybuild.runtime.snapshots.types import Node, Resolution
    from pybuild.runtime.sources.local import LocalTree

    Listed = tuple[bytes, frozenset[bytes], list[bytes]]

KEPT = 200
"""Records of one store; the oldest go."""


class Unrecordable(Exception):
    """The build depends on something that a record can't hold."""


class Evidence:
    """What a finished build depended on and left: its `plan`, the local directories it read, blobs of the store
    that its outputs need. `begun` is when it began, in nanoseconds; `generation` is that of the store while names
    were looked up; `steps` are the names of its vertices."""

    __slots__ = ("begun", "blobs", "generation", "plan", "steps", "trees")

    def __init__(
        self,
        begun: int,
        plan: Plan,
        generation: str,
        *,
        trees: Sequence[LocalTree] = (),
        blobs: Sequence[str] = (),
        steps: Sequence[str] = (),
    ) -> None:
        self.begun = begun
        self.plan = plan
        self.generation = generation
        self.trees = trees
        self.blobs = list(blobs)
        self.steps = steps


def recordable(request: BuildRequest, outputs: Sequence[Output]) -> bool:
    """Whether a build like this can be replayed at all."""
    return not (
        request.context == "-"
        or request.file == "-"
        or request.pull
        or request.no_cache
        or request.no_cache_filter
        or request.push
        or request.load
        or request.progress == "rawjson"
        or any(not _replayable(output) for output in outputs)
    )


def _replayable(output: Output) -> bool:
    """Whether an output that is there need not be made again: archives in files, names in the local store."""
    if output.type == "image":
        return not output.flag("push")
    return output.type == "none" or (output.type in ("oci", "docker", "tar") and output.dest not in ("", "-"))


def write(
    argv: Sequence[str],
    request: BuildRequest,
    evidence: Evidence,
    outputs: Iterable[str],
    *,
    stdout: str,
    stderr: str,
    warnings: str,
) -> None:
    """Write the record of a finished build; nothing if it depends on what can't be recorded.

    `outputs` are the files it left, `stdout` and `stderr` what a replay prints.
    """
    plan = evidence.plan
    try:
        record = {
            "variables": cached.variables(plan.names),
            "files": [_file(path, evidence.begun) for path in sorted(set(plan.consulted))],
            "outputs": [(path, cached.signature_of(path)) for path in sorted(outputs)],
            "generation": evidence.generation,
            "blobs": evidence.blobs,
            "parts": [part for tree in evidence.trees for part in _parts(tree, evidence.begun)],
            "stdout": stdout,
            "stderr": stderr,
            "warnings": warnings,
            "plan": plan.to_plain(),
            "request": request.to_plain(),
        }
        path = cached.record_path(argv)
        body = marshal.dumps(record)
    except (Unrecordable, OSError, ValueError):
        return
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    temporary = f"{path}.{os.urandom(6).hex()}"
    with open(temporary, "wb") as file:
        file.write(cached.FORMAT + crc32(body).to_bytes(4, "little") + body)
    os.rename(temporary, path)
    _thin(directory)


def replayed_text(steps: Sequence[str], *, plain: bool) -> str:
    """What a replayed build says of its steps: every one is cached."""
    if not plain:
        return ""
    out = StringIO()
    for number, name in enumerate(steps, 1):
        out.write(f"#{number} {name}\n#{number} CACHED\n\n")
    return out.getvalue()


def _file(path: str, begun: int) -> tuple[str, cached.Signature | None]:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return path, None
    if not settled(found, begun):
        raise Unrecordable(path)
    return path, cached.signature(found)


def _parts(tree: LocalTree, begun: int) -> list[cached.Part]:
    """The state of all that the tree's selected paths lead to, in one part or two of the same size."""
    directories: list[Listed] = []
    singles: set[bytes] = set()
    for pattern in tree.selected or (b"",):
        found = expand(tree, os.fsdecode(pattern), follow=True)
        places = [look_up(tree, path) for path in found.paths]
        if found.base is not None:
            _listed(tree, found.base, pattern, directories, begun)
            places.append(found.base)
        for where in places:
            for link in where.links:
                singles.add(_settled(link, begun).real)
            if where.node is None:
                singles.add(os.path.join(tree.root, where.path))
                continue
            singles.add(_settled(where.node, begun).real)
            if stat.S_ISDIR(where.node.stat.st_mode) and where is not found.base:
                _walk(tree, where.path, directories, begun)
    files = tuple(sorted(singles))
    total = sum(len(rows) for _, _, rows in directories)
    if total < cached.FORKED:
        return [_part(directories, files)]
    half, count, split = total // 2, 0, 0
    for _, _, rows in directories:
        if count >= half:
            break
        count += len(rows)
        split += 1
    return [_part(directories[:split], files), _part(directories[split:], ())]


def _listed(tree: LocalTree, base: Resolution, pattern: bytes, out: list[Listed], begun: int) -> None:
    """The directories in which a pattern's wildcards look for names."""
    if base.node is None or not stat.S_ISDIR(base.node.stat.st_mode):
        return
    levels = len([part for part in pattern.split(b"/") if part]) - len(
        [p for p in base.path.split(b"/") if p]
    )
    found = [base.path]
    for _ in range(max(1, levels)):
        out += [_directory(tree, path, begun) for path in found]
        found = [node.path for path in found for node in tree.list(path) if stat.S_ISDIR(node.stat.st_mode)]


def _walk(tree: LocalTree, top: bytes, out: list[Listed], begun: int) -> None:
    pending = [top]
    while pending:
        path = pending.pop()
        out.append(_directory(tree, path, begun))
        pending += [node.path for node in tree.list(path) if stat.S_ISDIR(node.stat.st_mode)]


def _directory(tree: LocalTree, path: bytes, begun: int) -> Listed:
    nodes = tree.list(path)
    real = os.path.join(tree.root, path) if path else tree.root
    names = [node.path.rpartition(b"/")[2] for node in nodes]
    ignored = frozenset(os.listdir(real)).difference(names) if tree.filtered else frozenset()
    rows = [cached.row(name, _settled(node, begun).stat) for name, node in zip(names, nodes, strict=True)]
    return real, ignored, sorted(rows)


def _settled(node: Node, begun: int) -> Node:
    """The node, if its state tells of every change. Raises Unrecordable."""
    if not stat.S_ISDIR(node.stat.st_mode) and not settled(node.stat, begun):
        raise Unrecordable(node.path)
    return node


def _part(directories: Sequence[Listed], files: tuple[bytes, ...]) -> cached.Part:
    state = cached.hasher()
    for path, _, rows in directories:
        state.update(b"%d %s\n" % (len(rows), path))
        state.update(b"".join(rows))
    state.update(cached.singles(files))
    return tuple((path, ignored) for path, ignored, _ in directories), files, state.digest()


def _thin(directory: str) -> None:
    with os.scandir(directory) as entries:
        found = sorted((entry.stat().st_mtime_ns, entry.path) for entry in entries)
    for _, path in found[:-KEPT]:
        os.unlink(path)
