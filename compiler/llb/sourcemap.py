"""Source maps of a definition: which lines of which build files each op comes from.

A `pb.Range` of BuildKit counts lines from 1 and characters from 0, and its Dockerfile frontend leaves both
characters 0: whole lines, a range for each. So a span of whole lines is written as ranges with characters 0, and
such ranges are read as whole lines, those of one location and lines below each other as one span.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pybuild.compiler.llb.wire import DefinitionError, Message, block, data, mapping, number, shown, text
from pybuild.lang.source import Source, Span

_LANGUAGES = {".pybuild": "pybuild", ".py": "Python"}


def encode_source(spans: Mapping[str, tuple[Span, ...]]) -> bytes:
    """`pb.Source` bytes for the spans of each digest. Equal files are written once."""
    numbers: dict[tuple[str, str], int] = {}
    files: list[Source] = []
    for span in (span for found in spans.values() for span in found):
        key = span.source.name, span.source.text
        if key not in numbers:
            numbers[key] = len(files)
            files.append(span.source)

    def index(span: Span) -> int:
        return numbers[span.source.name, span.source.text]

    located = {digest: found for digest, found in spans.items() if found}
    out = mapping(1, located, lambda found: block(2, _locations(found, index)))
    return out + b"".join(block(2, encode_source_info(file)) for file in files)


def encode_source_info(source: Source) -> bytes:
    """`pb.SourceInfo` bytes of one file."""
    suffix = source.name[source.name.rfind(".") :] if "." in source.name else ""
    content = source.text.encode("utf-8", "surrogateescape")
    language = _LANGUAGES.get(suffix, "Dockerfile")
    head = data(1, shown(source.name)) + data(2, content)
    return head + (block(3, source.definition) if source.definition else b"") + text(4, language)


def encode_ranges(span: Span) -> Iterator[bytes]:
    """`pb.Range` bytes of a span, one for each of whole lines."""
    line, character = span.line, span.column - 1
    end_line, end_character = span.end_line, span.end_column - 1
    if end_character <= 0 and end_line > line:
        end_line, end_character = end_line - 1, len(span.source.line(end_line - 1))
    if character == 0 and end_character in (0, len(span.source.line(end_line))):
        for one in range(line, max(line, end_line) + 1):
            yield block(1, number(1, one)) + block(2, number(1, one))
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
    """Spans of each digest."""
    message = Message("pb.Source", payload, (1, 2), strict=False)
    files = [decode_source_info(info) for info in message.messages(2)]
    found = message.mapping(1, lambda entry: entry.message(2) or b"", strict=False)
    return {digest: tuple(_spans(locations, files)) for digest, locations in found.items()}


def decode_source_info(payload: bytes) -> Source:
    message = Message("pb.SourceInfo", payload, (1, 2, 3, 4), strict=False)
    content = message.data(2).decode("utf-8", "surrogateescape")
    return Source(message.text(1), content, definition=message.message(3) or b"")


def decode_ranges(payloads: Iterable[bytes], source: Source) -> list[Span]:
    """The spans of ranges, each a `pb.Range`."""
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
