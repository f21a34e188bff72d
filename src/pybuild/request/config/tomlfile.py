"""TOML files checked against a model, with errors that show the line."""

from __future__ import annotations

import re

from pybuild.lang.diagnostics import Diagnostic, Label, UsageError, UserError, suggest
from pybuild.lang.source import Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from pydantic import BaseModel, ValidationError

    Model = TypeVar("Model", bound=BaseModel)

_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")


def read_text(path: str) -> str | None:
    """The file's text, None if there is no such file. Raises UsageError if it can't be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text", help=f"byte {error.start} can't be decoded") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def read_table(source: Source) -> dict[str, Any]:
    """The file's values. Raises UsageError with the line that is wrong."""
    import tomllib

    try:
        return tomllib.loads(source.text)
    except RecursionError:
        raise _syntax_error(source, "values are nested too deeply") from None
    except ValueError as error:
        # Numbers of thousands of digits are ValueErrors of Python's own.
        said = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a number is too large"
        raise _syntax_error(source, said) from None


def load(source: Source, model: type[Model]) -> Model:
    """The file as a `model`. Raises UsageError with the line that is wrong."""
    from pydantic import ValidationError

    table = read_table(source)
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise _model_error(source, error, model) from None


def at_key(source: Source, path: tuple[str, ...], error: UserError) -> UsageError:
    """`error` about the value of a key, with the line of the key."""
    if error.diagnostic.labels:
        return UsageError(error.diagnostic)
    labels = [Label(key_span(source, path))]
    return UsageError(Diagnostic(error.diagnostic.title, labels=labels, notes=error.diagnostic.notes))


def key_span(source: Source, path: tuple[str, ...]) -> Span:
    """Where the key `path` is set, as well as that can be told by reading lines; the first line otherwise."""
    table: tuple[str, ...] = ()
    best = (0, 1, 1, 1)
    for number, line in enumerate(source.text.split("\n"), 1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
        if header and "=" not in line.partition("]")[0]:
            table = _dotted(header[1])
            depth = _whole(table, path)
            if depth > best[0]:
                best = (depth, number, header.start(1) + 1, header.end(1) + 1)
            continue
        for match in re.finditer(
            r"""(?:^\s*|[{,]\s*)((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[\w"'-]+)*)\s*=""", line
        ):
            keys = (*table, *_dotted(match[1]))
            inline = (*best_table(path, best[0]), *_dotted(match[1]))
            depth = max(_whole(keys, path), _whole(inline, path))
            if depth > best[0]:
                best = (depth, number, match.start(1) + 1, match.end(1) + 1)
    return Span(source, best[1], best[2], best[1], max(best[3], best[2] + 1))


def best_table(path: tuple[str, ...], depth: int) -> tuple[str, ...]:
    """The keys of an inline table that was entered at `depth`."""
    return path[:depth]


def _dotted(text: str) -> tuple[str, ...]:
    parts = re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", text)
    return tuple(part[1:-1] if part[0] in "\"'" else part for part in parts)


def _whole(keys: tuple[str, ...], path: tuple[str, ...]) -> int:
    """How many keys of `path` are covered, if `keys` is a prefix of it."""
    return len(keys) if path[: len(keys)] == keys else 0


def _syntax_error(source: Source, message: str) -> UsageError:
    match = _PLACE.search(message)
    reason = _PLACE.sub("", message).strip()
    title = f"{source.name} is not TOML: {reason[:1].lower()}{reason[1:]}"
    last = source.text.rstrip("\n").count("\n") + 1
    line, column = (int(match[1]), int(match[2])) if match else (last, len(source.line(last)) + 1)
    return UsageError(Diagnostic(title, labels=[Label(Span(source, line, column, line, column + 1))]))


def _model_error(source: Source, error: ValidationError, model: type[BaseModel]) -> UsageError:
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    path = tuple(str(part) for part in first["loc"] if isinstance(part, str))
    known = tuple(part for part in path if not _is_branch(part))
    span = key_span(source, known)
    name = ".".join(known)
    if first["type"] == "extra_forbidden":
        names = _keys_at(model, known[:-1])
        near = suggest(known[-1], names) or next((one for one in names if one == known[-1] + "s"), None)
        help = f"did you mean {near}?" if near else "known are " + ", ".join(sorted(names))
        return UsageError(Diagnostic(f"unknown key {name}", labels=[Label(span)], notes=[("help", help)]))
    if first["type"] == "string_type" and isinstance(first["input"], int | float):
        notes = [("help", f'write it in quotes: "{first["input"]}"')]
    else:
        notes = []
    reason = first["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    return UsageError(Diagnostic(f"{name} must be {_article(reason)}", labels=[Label(span)], notes=notes))


def _is_branch(part: str) -> bool:
    """Pydantic names the branch of a union in the location of an error."""
    return part in {"constrained-str", "constrained-int"} or part.startswith(("function-", "literal["))


def _article(reason: str) -> str:
    articles = {"boolean": "true or false", "dictionary": "a table", "list": "a list", "string": "a string"}
    return articles.get(reason, reason)


def _keys_at(model: type[BaseModel], path: tuple[str, ...]) -> list[str]:
    """The keys that the table at `path` may have."""
    from typing import get_args

    current: object = model
    for part in path:
        fields = getattr(current, "model_fields", None)
        if fields is None:
            break
        found = next((one for one in fields.values() if one.alias == part), None)
        if found is not None:
            inner = [
                one for one in (found.annotation, *get_args(found.annotation)) if hasattr(one, "model_fields")
            ]
            current = inner[0] if inner else current
    return [one.alias for one in getattr(current, "model_fields", {}).values() if one.alias]
