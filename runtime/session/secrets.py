"""Secrets of a command line, from files and environment variables.

Limits are those of BuildKit's client, and so is the source of a secret without one: the variable of its name, else
the file of its name.
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
"""Most bytes of a secret."""

_HELP = "write --secret ID=env:NAME or --secret ID=file:PATH; also --secret id=ID,env=NAME or id=ID,src=PATH"


class SecretSource:
    """The source of the secret `id`: the file `path` or the environment variable `variable`; the other is None."""

    __slots__ = ("id", "path", "variable")

    def __init__(self, id: str, *, path: str | None = None, variable: str | None = None) -> None:
        self.id = id
        self.path = path
        self.variable = variable


class ClientSecrets(Secrets):
    """The secrets of `sources`; of several with one id the last counts. Thread-safe. Values are cached in memory."""

    def __init__(self, sources: Iterable[SecretSource] = ()) -> None:
        self._sources = {source.id: source for source in sources}
        self._values: dict[str, bytes] = {}
        self._guard = threading.Lock()

    def get(self, id: str) -> bytes | None:
        """Return a secret's value, see `Secrets`. As in BuildKit, a variable that is not set is an empty secret."""
        source = self._sources.get(id)
        if source is None:
            return None
        with self._guard:
            if id not in self._values:
                self._values[id] = read(source)
            return self._values[id]


def parse(text: str) -> SecretSource:
    """Parse `ID=env:NAME`, `ID=file:PATH` or `id=ID[,type=file|env][,src=PATH][,env=NAME]`. Without a source, it is
    the variable named like the id if that is set, else the file of that name. Raises UsageError, also for a missing
    or too big file, and for an unset variable after `env:`."""
    words = _words(text)
    id, path, variable = words.get("id", ""), words.get("src", ""), words.get("env", "")
    if not id:
        raise _usage(text, "secret missing ID")
    # With type=env a client may name the variable by src, as in BuildKit.
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
    """Return the files that decide whether a flag is valid, as it names them; None if anything else decides too. The
    flag must be one that `parse` takes."""
    words = _words(text)
    path, variable = words.get("src", ""), words.get("env", "")
    if words.get("type") == "env" and not variable:
        return ()
    if not path and not variable:
        return None
    return (path,) if path else ()


def _words(text: str) -> dict[str, str]:
    """Return the fields of a flag by key, with `source` as `src`."""
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
    """Return the fields of the forms `ID=env:NAME` and `ID=file:PATH`, none for another form. Everything after the
    colon belongs to the value. No flag has both forms: the long one needs `id=`, which the short one excludes."""
    id, _, place = text.partition("=")
    kind, colon, value = place.partition(":")
    if id.lower() == "id" or not id or not colon or not value or kind not in ("env", "file"):
        return {}
    return {"id": id, "env" if kind == "env" else "src": value}


def fields(text: str, what: str) -> list[str]:
    """Split one line of CSV into fields. Raises UsageError."""
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
    """Read a secret's value. Raises UserError for a file that can't be read, and for a value that is too big."""
    if source.path is None:
        value = os.environb.get(os.fsencode(source.variable or ""), b"")
    else:
        try:
            with open(source.path, "rb") as file:
                # One byte more than the limit: the file may have grown since it was checked.
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
