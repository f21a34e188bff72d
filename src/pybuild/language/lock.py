"""The lock file `pybuild.lock`: what outside references resolved to, one sorted line each (language spec,
section 14).

An entry is always obeyed; a missing one is added by whoever resolves the reference, or refused under
`--locked`.
"""

from __future__ import annotations

import json
import os
import re

from pybuild.lang.diagnostics import UsageError, source_error
from pybuild.lang.source import Source, Span
from pybuild.request import result_files
from pybuild.request.config.tomlfile import key_span, read_table, read_text
from pybuild.request.project import refuse_link_out, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

NAME: Final = "pybuild.lock"
VERSION: Final = 1
IMAGE, GIT, HTTP, MODULE = "image", "git", "http", "module"

_FORMS: Final = {
    IMAGE: re.compile(r"sha256:[0-9a-f]{64}"),
    GIT: re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}"),
    HTTP: re.compile(r"sha256:[0-9a-f]{64}"),
    MODULE: re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64}|sha256:[0-9a-f]{64}) sha256:[0-9a-f]{64}"),
}
"""Tables in the order of the file, with the form of their values."""


class Lock:
    """The entries of one lock file. `added`, `removed` and `used` are the keys that were added, dropped and
    looked up."""

    def __init__(self, path: str, entries: dict[tuple[str, str], str] | None = None) -> None:
        self.path = path
        self.entries = dict(entries or {})
        self.added: dict[tuple[str, str], str] = {}
        self.removed: set[tuple[str, str]] = set()
        self.used: set[tuple[str, str]] = set()

    @classmethod
    def read(cls, directory: str) -> Lock:
        """Read the lock file of a directory; without a file there are no entries. Raises UsageError,
        SourceError."""
        path = os.path.join(directory, NAME)
        return cls(path, _read(path))

    def get(self, kind: str, key: str) -> str | None:
        """Return the value that a reference is pinned to, None if it isn't, and count it as used."""
        self.used.add((kind, key))
        return self.entries.get((kind, key))

    def put(self, kind: str, key: str, value: str) -> None:
        """Pin a reference that has no entry. The file is not touched before `save`."""
        self.used.add((kind, key))
        self.entries[kind, key] = self.added[kind, key] = value
        self.removed.discard((kind, key))

    def drop(self, kind: str, key: str) -> None:
        """Remove an entry, so that its reference is resolved again if anything uses it."""
        if self.entries.pop((kind, key), None) is not None:
            self.removed.add((kind, key))

    def restore(self, kind: str, key: str, value: str) -> None:
        """Put a dropped entry back."""
        self.entries[kind, key] = value
        self.removed.discard((kind, key))

    def save(self) -> bool:
        """Write the file if that changes it, and report whether it did. Entries that other processes have
        added stay. Raises UserError."""
        if not self.added and not self.removed:
            return False
        before = _read(self.path)
        after = {key: value for key, value in before.items() if key not in self.removed} | self.added
        if after == before:
            return False
        refuse_link_out(self.path)
        result_files.write(self.path, lock_text(after))
        return True


def lock_text(entries: Mapping[tuple[str, str], str]) -> str:
    """Return the text of a lock file: its bytes depend on the entries alone."""
    out = [f"version = {VERSION}"]
    for kind in _FORMS:
        rows = sorted((key, value) for (table, key), value in entries.items() if table == kind)
        if rows:
            out.append(f"[{kind}]")
            out += [f"{_quoted(key)} = {_quoted(value)}" for key, value in rows]
    return "\n".join(out) + "\n"


def _read(path: str) -> dict[tuple[str, str], str]:
    text = read_text(path, regular=True)
    return {} if text is None else _entries(Source(shown(path), text))


def _quoted(text: str) -> str:
    """Return a basic string of TOML: a JSON string in which DEL is escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _entries(source: Source) -> dict[tuple[str, str], str]:
    table = read_table(source)
    version = table.pop("version", None)
    if version != VERSION:
        raise UsageError(
            f"{source.name} is of version {version}, and this pybuild knows {VERSION}",
            help="use the version of pybuild that wrote it, or delete the file and run pybuild lock",
        )
    entries: dict[tuple[str, str], str] = {}
    for kind, rows in table.items():
        if kind not in _FORMS or not isinstance(rows, dict):
            raise source_error(
                f"unknown table `{kind}`", _span(source, kind), help="tables are " + ", ".join(_FORMS)
            )
        for key, value in rows.items():
            if not isinstance(value, str) or not _FORMS[kind].fullmatch(value):
                raise source_error(
                    f"no pin of {kind}: {value!r}",
                    key_span(source, (kind, key)),
                    help="delete the line and run pybuild lock",
                )
            entries[kind, key] = value
    return entries


def _span(source: Source, table: str) -> Span:
    return key_span(source, (table,))
