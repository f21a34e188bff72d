"""Source maps of a definition: the lines of build files that each op comes from.

A `pb.Range` counts lines from 1 and characters from 0. BuildKit's Dockerfile frontend writes whole lines, one range
for each, with both characters 0. So a span of whole lines is written as such ranges; ranges with characters 0 are
read as whole lines, and consecutive ones of one location become one span.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pybuild.compiler.llb.wire import DefinitionError, Message, block, data, mapping, number, shown, text
from pybuild.lang.source import Source, Span

_LANGUAGES = {".pybuild": "pybuild", ".py": "Python"}


def encode_source(spans: Mapping[str, tuple[Span, ...]]) -> bytes:
    """Encode the spans of each digest as `pb.Source` bytes. Equal files are written once."""
    numbers: dict[tuple[str, str], int] = {}
    files: list[Source] = []
    for span in (span for located in spans.values() for span in located):
        key = span.source.name, span.source.text
        if key not in numbers:
            numbers[key] = len(files)
            files.append(span.source)

    def index(span: Span) -> int:
        return numbers[span.source.name, span.source.text]

    nonempty = {digest: located for digest, located in spans.items() if located}
    out = mapping(1, nonempty, lambda located: block(2, _locations(located, index)))
    return out + b"".join(block(2, encode_source_info(file)) for file in files)


def encode_source_info(source: Source) -> bytes:
    """Encode a file as `pb.SourceInfo` bytes."""
    suffix = source.name[source.name.rfind(".") :] if "." in source.name else ""
    content = source.text.encode("utf-8", "surrogateescape")
    language = _LANGUAGES.get(suffix, "Dockerfile")
    head = data(1, shown(source.name)) + data(2, content)
    return head + (block(3, source.definition) if source.definition else b"") + text(4, language)


def encode_ranges(span: Span) -> Iterator[bytes]:
    """Yield the `pb.Range` bytes of a span; a span of whole lines becomes one range for each line."""
    line, character = span.line, span.column - 1
    end_line, end_character = span.end_line, span.end_column - 1
    # An end at the start of a line is the end of the line before.
    if end_character <= 0 and end_line > line:
        end_line, end_character = end_line - 1, len(span.source.line(end_line - 1))
    if character == 0 and end_character in (0, len(span.source.line(end_line))):
        for whole in range(line, max(line, end_line) + 1):
            yield block(1, number(1, whole)) + block(2, number(1, whole))
    else:
        start = number(1, line) + number(2, character)
        yield block(1, start) + block(2, number(1, end_line) + number(2, end_character))


def _locations(spans: Iterable[Span], index: object) -> bytes:
    assert callable(index)
    return b"".join(
        block(1, number(1, index(span)) + b"".join(block(2, one) for one in encode_ranges(span)))
        for span in spans
    )


def decode_source(payload: bytes) -> dict[str, tuple[Span, ...]]:
    """Decode `pb.Source` bytes to the spans of each digest."""
    message = Message("pb.Source", payload, (1, 2), strict=False)
    files = [decode_source_info(info) for info in message.messages(2)]
    located = message.mapping(1, lambda entry: entry.message(2) or b"", strict=False)
    return {digest: tuple(_spans(locations, files)) for digest, locations in located.items()}


def decode_source_info(payload: bytes) -> Source:
    message = Message("pb.SourceInfo", payload, (1, 2, 3, 4), strict=False)
    content = message.data(2).decode("utf-8", "surrogateescape")
    return Source(message.text(1), content, definition=message.message(3) or b"")


def decode_ranges(payloads: Iterable[bytes], source: Source) -> list[Span]:
    """Decode `pb.Range` messages to spans; whole lines that follow each other are joined."""
    spans: list[Span] = []
    for payload in payloads:
        span = decode_range(payload, source)
        before = spans[-1] if spans else None
        if before is not None and span.line == before.end_line + 1 and _whole(before) and _whole(span):
            spans[-1] = Span(source, before.line, 1, span.end_line, span.end_column)
        else:
            spans.append(span)
    return spans


def _whole(span: Span) -> bool:
    return span.column == 1 and span.end_column == len(span.source.line(span.end_line)) + 1


def decode_range(payload: bytes, source: Source) -> Span:
    message = Message("pb.Range", payload, (1, 2), strict=False)
    (line, character), (end_line, end_character) = (
        _position(message.message(field) or b"") for field in (1, 2)
    )
    if character == 0 and end_character == 0:
        end_line = max(line, end_line)
        end_character = len(source.line(end_line))
    return Span(source, line, character + 1, end_line, end_character + 1)


def _spans(payload: bytes, files: list[Source]) -> Iterable[Span]:
    for location in Message("pb.Locations", payload, (1,), strict=False).messages(1):
        message = Message("pb.Location", location, (1, 2), strict=False)
        index = message.int32(1)
        if not 0 <= index < len(files):
            raise DefinitionError(f"a source map points to file {index} of {len(files)}")
        yield from decode_ranges(message.messages(2), files[index])


def _position(payload: bytes) -> tuple[int, int]:
    message = Message("pb.Position", payload, (1, 2), strict=False)
    return message.int32(1), message.int32(2)
