"""Contents of `type=local` and `type=tar`: the files of each platform, and their attestations."""

from __future__ import annotations

import os
import stat
from hashlib import sha256

from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.export.build import Build
from pybuild.runtime.export.receiver import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.export.output import Output
    from pybuild.runtime.image.assemble import Result
    from pybuild.runtime.image.statements import About
    from pybuild.runtime.snapshots.types import Tree


def parts(output: Output, build: Build) -> list[Part]:
    """Return the files of each result: below `linux_amd64` and so on for several platforms
    (`platform-split=false` never, `true` also for one). Raises UserError for one path in two results."""
    split = output.flag("platform-split", build.index)
    platform_parts = []
    for result in build.results:
        directory = result.key.replace("/", "_")
        tree = build.snapshotter.tree(result.snapshot)
        suffix = f".{directory}" if build.index and not split else ""
        platform_parts.append(
            Part(
                tree,
                prefix=directory.encode() if split else b"",
                files=_statements(
                    result, tree, output.attributes.get("attestation-prefix", ""), suffix, build
                ),
                time=output.epoch(build.epoch_of(result)),
                key=result.key,
            )
        )
    if not split and len(platform_parts) > 1:
        _check_distinct(platform_parts)
    return platform_parts


def _statements(result: Result, tree: Tree, prefix: str, suffix: str, build: Build) -> dict[bytes, bytes]:
    """Return the statements that are exported beside the files, about each of the files, by name."""
    predicates = [one for one in result.predicates if not one.inline_only]
    if not predicates:
        return {}
    from pybuild.runtime.image.gojson import indented

    itself = _contents(tree, build)
    found: dict[bytes, bytes] = {}
    for one in predicates:
        base, extension = os.path.splitext(os.path.basename(one.path))
        name = os.fsencode(f"{prefix}{base}{suffix}{extension}")
        if name in found:
            raise UserError(f"duplicate attestation path name {os.fsdecode(name)}")
        found[name] = indented(one.statement(itself))
    return found


def _contents(tree: Tree, build: Build) -> list[About]:
    """Return the regular files of a tree with their digests."""
    from pybuild.runtime.image.statements import About

    contents = []
    for node in tree.walk(b""):
        if build.cancelled is not None and build.cancelled():
            raise Cancelled
        if stat.S_ISREG(node.stat.st_mode):
            with node.content() as file:
                hashed = sha256()
                while data := file.read(1 << 20):
                    hashed.update(data)
            contents.append(About(os.fsdecode(node.path), ["sha256:" + hashed.hexdigest()]))
    return contents


def _check_distinct(found: list[Part]) -> None:
    """Raise UserError for a file that two platforms have: without a directory for each, one would be lost."""
    seen: dict[bytes, str] = {}
    for part in found:
        paths = [node.path for node in part.tree.walk(b"") if not stat.S_ISDIR(node.stat.st_mode)]
        for path in (*paths, *part.files):
            if path in seen:
                raise UserError(
                    f"cannot overwrite {os.fsdecode(path)} from {seen[path]} with {part.key} "
                    "when split option is disabled",
                    help="leave out platform-split=false",
                )
            seen[path] = part.key
