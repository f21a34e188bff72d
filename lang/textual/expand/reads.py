"""The functions that read files of the expression's module, through its `Place` (language spec, section 10).

Each file and each pattern is recorded as an input of the compile, under a name relative to the module's directory."""

from __future__ import annotations

import json
import posixpath
import re
import tomllib
from collections.abc import Mapping
from datetime import date, time
from hashlib import sha256

from pybuild.lang.diagnostics import SourceError, UserError, suggest
from pybuild.lang.textual.expand import globs, limits
from pybuild.lang.textual.expand.arguments import Arguments, ArgumentValue
from pybuild.lang.textual.expand.conversions import plain
from pybuild.lang.textual.expand.frame import Compilation, Frame
from pybuild.lang.textual.expand.values import Value
from pybuild.lang.textual.problems import reads as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from pybuild.lang.source import Span
    from pybuild.lang.textual.modules import Place

_READ_A_STEP: Final = 10_000
_PARSED_A_STEP: Final = 100

_KEY: Final = re.compile(r'\s*(?:"([^"]*)"|\'([^\']*)\'|([^."\'\s]+))\s*(?P<dot>\.|$)')


def read(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return limits.string(_text(arguments["path"], "read", frame, compilation), arguments.span, compilation)


def read_lines(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    text = _text(arguments["path"], "read_lines", frame, compilation)
    limits.count(text.count("\n"), arguments.span, compilation)
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    limits.length(max(map(len, lines), default=0), arguments.span, compilation)
    return limits.items(tuple(line.removesuffix("\r") for line in lines), arguments.span, compilation)


def read_toml(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    text = _text(arguments["path"], "read_toml", frame, compilation)
    compilation.count(arguments.span, len(text) // _PARSED_A_STEP + 1)
    try:
        document = tomllib.loads(text.replace("\r\n", "\n"), parse_float=_Number)
    except (ValueError, RecursionError) as error:
        raise _malformed(arguments, "TOML", error) from None
    return limits.string(_text_at(document, arguments, "TOML"), arguments.span, compilation)


def read_json(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    text = _text(arguments["path"], "read_json", frame, compilation)
    compilation.count(arguments.span, len(text) // _PARSED_A_STEP + 1)
    try:
        document = json.loads(text, parse_float=_Number, parse_int=_Number, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _malformed(arguments, "JSON", error) from None
    return limits.string(_text_at(document, arguments, "JSON"), arguments.span, compilation)


class _Number(str):
    """A number with its text: `1.10` must not become `1.1`."""

    __slots__ = ()


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _malformed(arguments: Arguments, language: str, error: Exception) -> SourceError:
    reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
    return SourceError(problems.malformed(arguments["path"].span, arguments.text("path"), language, reason))


def _text_at(document: object, arguments: Arguments, language: str) -> str:
    """Return the text of the scalar at a dotted key, in which a number is the index of an item."""
    span, text = arguments["key"].span, arguments.text("key")
    value, before = document, ""
    for name, end in _parts(text, span):
        names = _names(value)
        if name not in names:
            near = suggest(name, names) or ""
            raise SourceError(
                problems.no_such_key(span, name, before, arguments.text("path"), near, list(names))
            )
        value, before = names[name], text[:end]
    return _scalar(value, arguments, language)


def _parts(key: str, span: Span) -> Iterator[tuple[str, int]]:
    """Yield the names of a dotted key, each with the offset of its end."""
    at, more = 0, True
    while more:
        match = _KEY.match(key, at)
        if match is None:
            raise SourceError(problems.bad_key(span, key))
        yield next(part for part in match.groups()[:3] if part is not None), match.start("dot")
        at, more = match.end(), bool(match["dot"])


def _names(value: object) -> Mapping[str, object]:
    if isinstance(value, Mapping):
        return value
    return {str(at): one for at, one in enumerate(value)} if isinstance(value, list) else {}


def _scalar(value: object, arguments: Arguments, language: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list) or value is None:
        kind = "null" if value is None else "a list" if isinstance(value, list) else "a table"
        if language == "JSON" and kind == "a table":
            kind = "an object"
        raise SourceError(problems.no_scalar(arguments["key"].span, arguments.text("key"), kind))
    return value.isoformat() if isinstance(value, date | time) else str(value)


def glob(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    """Return the files, directories and links of the module that match a pattern, in bytewise order."""
    argument = arguments["pattern"]
    text = plain(arguments.text("pattern"), frame)
    pattern = _inside(text, argument, "glob", frame)
    try:
        paths = globs.match(
            _place(frame), pattern, visit=lambda names: compilation.count(argument.span, names // 10 + 1)
        )
    except ValueError as error:
        raise SourceError(problems.bad_pattern(argument.span, text, str(error))) from None
    name = f"glob({named(pattern, frame)})"
    compilation.reads[name] = _digest("\0".join(paths).encode(errors="surrogateescape"))
    return limits.items(tuple(paths), argument.span, compilation)


def _text(argument: ArgumentValue, word: str, frame: Frame, compilation: Compilation) -> str:
    data = file(argument, word, frame, compilation)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise SourceError(problems.not_text(argument.span, str(argument.value), error.start)) from None
    compilation.count(argument.span, len(data) // _READ_A_STEP)
    return text


def file(argument: ArgumentValue, word: str, frame: Frame, compilation: Compilation) -> bytes:
    """Return the bytes of a file for the function or source `word`. Raises E0510, E0513."""
    written = str(argument.value)
    path = _inside(written, argument, word, frame)
    place = _place(frame)
    kind = place.kind(path)
    if kind == "dir" or kind == "other":
        raise SourceError(problems.no_file(argument.span, word, written, kind))
    try:
        if kind is None:
            raise FileNotFoundError(path)
        data = place.read(path)
    except FileNotFoundError:
        near = _near(path, frame)
        module = frame.module.module.file.source.name
        raise SourceError(
            problems.missing(argument.span, word, near, module, literal=argument.literal)
        ) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SourceError(problems.unreadable(argument.span, word, written, reason)) from None
    except UserError as error:
        raise SourceError(problems.unreadable(argument.span, word, written, str(error))) from None
    compilation.reads[named(path, frame)] = _digest(data)
    return data


def optional_file(path: str, frame: Frame, compilation: Compilation) -> bytes | None:
    """Return the bytes of a file, None if it doesn't exist. `path` must be normal."""
    if _place(frame).kind(path) not in ("file", "link"):
        return None
    try:
        data = _place(frame).read(path)
    except OSError:
        return None
    compilation.reads[named(path, frame)] = _digest(data)
    return data


def _inside(path: str, argument: ArgumentValue, word: str, frame: Frame) -> str:
    """Return a normal path below the module's directory. Raises E0513."""
    normal = None if path.startswith("/") else globs.normal(path)
    if normal is None:
        raise SourceError(problems.leaves(argument.span, word, path))
    return normal


def _near(path: str, frame: Frame) -> str:
    """Return a path that may be meant: another name in the directory, or another name of a directory on the way."""
    directory, _, name = path.rpartition("/")
    while directory and _place(frame).kind(directory) is None:
        directory, _, name = directory.rpartition("/")
    near = suggest(name, _place(frame).names(directory or "."))
    if near is None:
        return ""
    length = len(directory) + 1 + len(name) if directory else len(name)
    return posixpath.join(directory, near) + path[length:]


def _place(frame: Frame) -> Place:
    return frame.module.module.place


def named(path: str, frame: Frame) -> str:
    """Return the name of a file, relative to the module's directory."""
    return posixpath.join(posixpath.dirname(frame.module.module.file.source.name), path)


def _digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"
