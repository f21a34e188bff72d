"""Secrets from the client's files and environment.

The limits and the meaning of a secret without a source are those of BuildKit's client: a variable of that name, else
a file.
"""

from __future__ import annotations

import os
import threading

from pybuild.lang.diagnostics import UsageError, UserError
from pybuild.runtime.session.types import Secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SIZE = 500 << 10
"""Bytes that a secret may have."""

_HELP = "write --secret ID=env:NAME or --secret ID=file:PATH; also --secret id=ID,env=NAME or id=ID,src=PATH"


class SecretSource:
    """Where the secret `id` comes from: the file `path` or the environment variable `variable`, one of which is
    None."""

    __slots__ = ("id", "path", "variable")

    def __init__(self, id: str, *, path: str | None = None, variable: str | None = None) -> None:
        self.id = id
        self.path = path
        self.variable = variable


class ClientSecrets(Secrets):
    """The secrets of `sources`; the last of an id counts. Thread-safe. A value is kept in memory once read."""

    def __init__(self, sources: Iterable[SecretSource] = ()) -> None:
        self._sources = {source.id: source for source in sources}
        self._values: dict[str, bytes] = {}
        self._guard = threading.Lock()

    def get(self, id: str) -> bytes | None:
        """See `Secrets`. A variable that is not set is an empty secret, as with BuildKit."""
        source = self._sources.get(id)
        if source is None:
            return None
        with self._guard:
            if id not in self._values:
                self._values[id] = read(source)
            return self._values[id]


def parse(text: str) -> SecretSource:
    """The source that `ID=env:NAME`, `ID=file:PATH` or `id=ID[,type=file|env][,src=PATH][,env=NAME]` names; without
    one it is the variable named like the id if that is set, else the file of that name. Raises UsageError, also for
    a file that isn't there or is too big, and for a variable that `env:` names and that is not set."""
    words = _words(text)
    id, path, variable = words.get("id", ""), words.get("src", ""), words.get("env", "")
    if not id:
        raise _usage(text, "secret missing ID")
    if words.get("type") == "env" and not variable:
        path, variable = "", path
    if not path and not variable:
        path, variable = ("", id) if id in os.environ else (id, "")
    if path:
        _check_file(id, path)
    elif variable not in os.environ and _short(text):
        raise UsageError(
            f"secret {id}: the variable {variable} is not set", help=f"set it, or give a file: {id}=file:PATH"
        )
    return SecretSource(id, variable=variable) if variable else SecretSource(id, path=os.path.abspath(path))


def named(text: str) -> tuple[str, ...] | None:
    """The files, as a flag names them, whose state says whether it can be meant; None where more than that does.
    The flag is one that `parse` takes."""
    words = _words(text)
    path, variable = words.get("src", ""), words.get("env", "")
    if words.get("type") == "env" and not variable:
        return ()
    if not path and not variable:
        return None
    return (path,) if path else ()


def _words(text: str) -> dict[str, str]:
    """The fields of a flag by key, `source` among them as `src`."""
    short = _short(text)
    if short:
        return short
    words: dict[str, str] = {}
    for field in fields(text, "secret"):
        key, equals, value = field.partition("=")
        key = key.lower()
        if not equals:
            raise _usage(text, f"invalid field '{field}' must be a key=value pair")
        if key == "type" and value not in ("file", "env"):
            raise _usage(text, f"unsupported secret type {value!r}")
        if key not in ("type", "id", "source", "src", "env"):
            raise _usage(text, f"unexpected key '{key}' in '{field}'")
        words["src" if key == "source" else key] = value
    return words


def _short(text: str) -> dict[str, str]:
    """The fields that `ID=env:NAME` and `ID=file:PATH` stand for; empty for another form. What follows the colon is
    taken as it is. A flag without `id=` means nothing else, and `id=…` is never this form."""
    id, _, place = text.partition("=")
    kind, colon, value = place.partition(":")
    if id.lower() == "id" or not id or not colon or not value or kind not in ("env", "file"):
        return {}
    return {"id": id, "env" if kind == "env" else "src": value}


def fields(text: str, what: str) -> list[str]:
    """The fields of one line of CSV. Raises UsageError."""
    if '"' not in text:
        return text.split(",")
    import csv

    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise UsageError(f"failed to parse csv {what} {text!r}: {error}", help=_HELP) from None
    return rows[0] if rows else []


def _check_file(id: str, path: str) -> None:
    try:
        size = os.stat(path).st_size
    except OSError as error:
        raise UsageError(
            f"secret {id}: failed to stat {path}: {(error.strerror or str(error)).lower()}",
            help=f"give the file: --secret id={id},src=PATH; or a variable: --secret id={id},env=NAME",
        ) from None
    if size > MAX_SIZE:
        raise UsageError(f"secret {id} too big. max size 500KB", help="a secret has at most 512,000 bytes")


def _usage(text: str, title: str) -> UsageError:
    return UsageError(f"--secret {text}: {title}", help=_HELP)


def read(source: SecretSource) -> bytes:
    """The value. Raises UserError: the file can't be read, or is too big."""
    if source.path is None:
        value = os.environb.get(os.fsencode(source.variable or ""), b"")
    else:
        try:
            with open(source.path, "rb") as file:
                value = file.read(MAX_SIZE + 1)
        except OSError as error:
            raise UserError(
                f"secret {source.id}: {source.path} can't be read: {(error.strerror or str(error)).lower()}",
                help=f"give a file that you can read: --secret id={source.id},src=PATH",
            ) from None
    if len(value) > MAX_SIZE:
        raise UserError(
            f"secret {source.id} too big. max size 500KB", help="a secret has at most 512,000 bytes"
        )
    return value
