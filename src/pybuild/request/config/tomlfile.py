"""Reads TOML files, with errors that show the line, and finds the place of a key."""

from __future__ import annotations

import os
import re
import stat

from pybuild.lang.diagnostics import Diagnostic, Label, UsageError
from pybuild.lang.source import Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_KEY = re.compile(r"""(?:^\s*|[{,]\s*)((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[\w"'-]+)*)\s*=""")
_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")


def read_text(path: str, *, regular: bool = False) -> str | None:
    """Return the file's text, None if there is no such file. Raises UsageError if it can't be read, or if it must be
    `regular` and is a pipe or a device."""
    try:
        # Opening a named pipe would wait for its writer.
        flag = os.O_NONBLOCK if regular else 0
        with open(path, encoding="utf-8", opener=lambda name, flags: os.open(name, flags | flag)) as file:
            if regular and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"cannot read {path}: it is not a regular file")
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text", help=f"byte {error.start} can't be decoded") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def read_table(source: Source) -> dict[str, Any]:
    """Return the file's values. Raises UsageError that shows the line if it isn't TOML."""
    import tomllib

    try:
        return tomllib.loads(source.text)
    except RecursionError:
        raise _syntax_error(source, "values are nested too deeply") from None
    except ValueError as error:
        # Python refuses to convert numbers of thousands of digits by a plain ValueError.
        reason = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a number is too large"
        raise _syntax_error(source, reason) from None


def key_span(source: Source, path: tuple[str | int, ...]) -> Span:
    """Return where the key `path` is set, or its nearest table, or else the first line. A number in `path` is an item
    (from 1) of the list at the key before it.

    `tomllib` keeps no places, so this reads lines: a line in a multi-line string that looks like a key may win.
    """
    table: tuple[str | int, ...] = ()
    items: dict[tuple[str, ...], int] = {}
    best = (0, 1, 1, 1)
    for number, line in enumerate(source.text.split("\n"), 1):
        header = re.match(r"\s*(\[+)\s*([^\]]+?)\s*\]+", line)
        if header and "=" not in line.partition("]")[0]:
            table = keys = _dotted(header[2])
            if header[1] == "[[":
                items[keys] = items.get(keys, 0) + 1
                table = (*keys, items[keys])
            depth = _depth(table, path)
            if depth > best[0]:
                best = (depth, number, header.start(2) + 1, header.end(2) + 1)
            continue
        for match in _KEY.finditer(line):
            keys = _dotted(match[1])
            # The best match so far may have an inline table, or a list of them, as its value.
            is_list = best[0] < len(path) and isinstance(path[best[0]], int)
            inside = path[: best[0] + is_list]
            depth = max(_depth((*table, *keys), path), _depth((*inside, *keys), path))
            if depth > best[0]:
                best = (depth, number, match.start(1) + 1, match.end(1) + 1)
    return Span(source, best[1], best[2], best[1], max(best[3], best[2] + 1))


def _dotted(text: str) -> tuple[str, ...]:
    parts = re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", text)
    return tuple(part[1:-1] if part[0] in "\"'" else part for part in parts)


def _depth(keys: tuple[str | int, ...], path: tuple[str | int, ...]) -> int:
    """Return the number of `keys` if they are a prefix of `path`, else 0."""
    return len(keys) if path[: len(keys)] == keys else 0


def _syntax_error(source: Source, message: str) -> UsageError:
    match = _PLACE.search(message)
    reason = _PLACE.sub("", message).strip()
    title = f"{source.name} is not TOML: {reason[:1].lower()}{reason[1:]}"
    last = source.text.rstrip("\n").count("\n") + 1
    line, column = (int(match[1]), int(match[2])) if match else (last, len(source.line(last)) + 1)
    return UsageError(Diagnostic(title, labels=[Label(Span(source, line, column, line, column + 1))]))
