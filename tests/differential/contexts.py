"""Writing a case's contexts to disk."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

from attrs import evolve
from tests.differential.casebook import Case, FileEntry

_TYPES = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
}
_MTIME = 1_700_000_000


def write_contexts(case: Case, directory: Path, references: dict[str, str]) -> dict[str, Path]:
    """Write each context into a directory of its name; `references` are words replaced in the Dockerfiles."""
    written = {}
    for name, entries in case.contexts.items():
        written[name] = directory / name
        written[name].mkdir(parents=True)
        for entry in entries:
            write_entry(written[name], entry)
    main = written["context"]
    for archive in case.archives:
        path = main / archive.path
        path.parent.mkdir(parents=True, exist_ok=True)
        members = [_worded(member, references) for member in archive.entries]
        path.write_bytes(compressed(archive.path, tar_bytes(members)))
    if case.dockerfile:
        (main / "Dockerfile").write_bytes(case.dockerfile.encode())
    for path in main.rglob("*Dockerfile"):
        path.write_bytes(substituted(path.read_bytes().decode(), references).encode())
    return written


def _worded(entry: FileEntry, references: dict[str, str]) -> FileEntry:
    if not entry.path.endswith(b"Dockerfile"):
        return entry
    return evolve(entry, content=substituted(entry.content.decode(), references).encode())


def substituted(text: str, references: dict[str, str]) -> str:
    for word, reference in references.items():
        text = text.replace(word, reference)
    return text


def write_entry(root: Path, entry: FileEntry) -> None:
    path = os.path.join(os.fsencode(root), entry.path)
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    if entry.kind == "directory":
        os.makedirs(path, exist_ok=True)
    elif entry.kind == "symlink":
        os.symlink(entry.target, path)
    elif entry.kind == "hardlink":
        os.link(os.path.join(os.fsencode(root), entry.target), path)
    else:
        with open(path, "wb") as file:
            file.write(entry.content)
    if entry.kind in ("file", "directory"):
        os.chown(path, *entry.owner)
        os.chmod(path, entry.mode)
    for name, value in entry.xattrs:
        os.setxattr(path, name, value, follow_symlinks=False)


def tar_bytes(entries: Iterable[FileEntry]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
        for entry in entries:
            member = tarfile.TarInfo(os.fsdecode(entry.path))
            member.type = _TYPES[entry.kind]
            member.mode = entry.mode
            member.uid, member.gid = entry.owner
            member.linkname = os.fsdecode(entry.target)
            member.mtime = _MTIME
            member.size = len(entry.content)
            member.pax_headers = {f"SCHILY.xattr.{name}": value.decode() for name, value in entry.xattrs}
            archive.addfile(member, io.BytesIO(entry.content))
    return out.getvalue()


def compressed(name: str, data: bytes) -> bytes:
    if name.endswith((".gz", ".tgz")):
        return gzip.compress(data, mtime=0)
    if name.endswith(".bz2"):
        return bz2.compress(data)
    return lzma.compress(data) if name.endswith(".xz") else data
