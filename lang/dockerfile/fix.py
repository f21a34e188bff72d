"""Quick fixes: mechanical corrections of what build checks report.

    fix_all     text and a linter -> text without the findings that have a fix, and those findings

The effect of each fix on a build of the file:

    StageNameCasing, FromAsCasing, ConsistentInstructionCasing, NoEmptyContinuation, LegacyKeyValueFormat,
    RedundantTargetPlatform, ExposeProtoCasing          none: the image is the same
    MultipleInstructionsDisallowed                      the history loses the ineffective entry
    MaintainerDeprecated                                the author becomes a label, in the history too

The other checks need someone who knows what is meant. That includes JSONArgsRecommended: a command that no shell
starts gets other signals and, as an entry point, other arguments.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

from pybuild.lang.dockerfile.arguments import Word, split_quoted
from pybuild.lang.dockerfile.characters import SPACES
from pybuild.lang.dockerfile.lines import physical_lines
from pybuild.lang.dockerfile.lint.linter import Finding
from pybuild.lang.dockerfile.nodes import Node
from pybuild.lang.dockerfile.reader import read_nodes
from pybuild.lang.source import Source, Span

AUTHORS = "org.opencontainers.image.authors"

Lint = Callable[[Source], Sequence[Finding]]


class Replacement:
    """A `text` to put in the place of `span`."""

    __slots__ = ("span", "text")

    def __init__(self, span: Span, text: str) -> None:
        self.span = span
        self.text = text


def fix_all(source: Source, lint: Lint) -> tuple[Source, list[Finding]]:
    """Return the fixed file and the findings that were fixed; `source` itself if nothing can be fixed.

    Each finding has the place it had when it was fixed. Fixing the result again changes nothing. Raises what `lint`
    raises.
    """
    fixed: list[Finding] = []
    while True:
        # Lint again after each rule's fixes, since they move the places of other findings.
        findings = lint(source)
        done: list[Finding] = []
        for name, make in FIXES.items():
            mine = [finding for finding in findings if finding.rule.name == name]
            source, done = _fix(source, mine, make)
            if done:
                break
        if not done:
            return source, fixed
        fixed += done


def count_fixable(source: Source, findings: Iterable[Finding]) -> int:
    """Return how many of the findings in `source` `fix_all` would fix."""
    return sum(
        len(_fix(source, [one for one in findings if one.rule.name == name], make)[1])
        for name, make in FIXES.items()
    )


class _File:
    """The instructions of a file, by their lines."""

    def __init__(self, source: Source) -> None:
        self.nodes = read_nodes(source).nodes
        self._lines = [node.line.number for node in self.nodes]

    def at(self, line: int) -> Node | None:
        """Return the instruction that a line belongs to."""
        index = bisect_right(self._lines, line) - 1
        return self.nodes[index] if index >= 0 and line <= self.nodes[index].end_line else None

    @cached_property
    def lower_case(self) -> bool:
        """True if most instructions from the first FROM on are in lower case."""
        first = next((index for index, node in enumerate(self.nodes) if _is(node, "from")), 0)
        names = [node.name.text for node in self.nodes[first:]]
        return sum(name == name.lower() for name in names) > sum(name == name.upper() for name in names)


def _fix(source: Source, findings: Sequence[Finding], make: Fix) -> tuple[Source, list[Finding]]:
    """Fix all findings of one rule at once; return the new source and the findings that were fixed."""
    if not findings:
        return source, []
    file = _File(source)
    done: list[Finding] = []
    replaced: dict[tuple[int, int], Replacement] = {}
    for finding in findings:
        node = file.at(finding.span.line)
        replacements = list(make(node, file)) if node is not None else []
        if replacements:
            done.append(finding)
        # Several findings may lead to the same replacement, which is made once.
        replaced.update(((one.span.line, one.span.column), one) for one in replacements)
    return (_replace(source, replaced.values()) if done else source), done


def _replace(source: Source, replacements: Iterable[Replacement]) -> Source:
    lines = physical_lines(source.text)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    out: list[str] = []
    done = 0
    for replacement in sorted(
        replacements, key=lambda replacement: (replacement.span.line, replacement.span.column)
    ):
        start = starts[replacement.span.line - 1] + replacement.span.column - 1
        out += [source.text[done:start], replacement.text]
        # A span may end at the beginning of the line after the last one.
        done = min(
            starts[min(replacement.span.end_line, len(lines) + 1) - 1] + replacement.span.end_column - 1,
            starts[-1],
        )
    return Source(source.name, "".join([*out, source.text[done:]]))


def _written(node: Node, word: Word, change: Callable[[str], str]) -> Iterator[Replacement]:
    """Change a word that stands on one line."""
    span, text = node.place(word), _raw(node, word)
    if span.line == span.end_line and change(text) != text:
        yield Replacement(span, change(text))


def _raw(node: Node, word: Word) -> str:
    """Return the word as it is in the file, including bytes that aren't UTF-8."""
    return node.line.text[word.start : word.end]


def _stage_name(node: Node, file: _File) -> Iterator[Replacement]:
    if _is(node, "from") and len(node.words) == 3:
        yield from _written(node, node.words[2], str.lower)


def _as(node: Node, file: _File) -> Iterator[Replacement]:
    if _is(node, "from") and len(node.words) == 3:
        lower = node.name.text == node.name.text.lower()
        yield from _written(node, node.words[1], str.lower if lower else str.upper)


def _casing(node: Node, file: _File) -> Iterator[Replacement]:
    yield from _written(node, node.name, str.lower if file.lower_case else str.upper)


def _key_value(node: Node, file: _File) -> Iterator[Replacement]:
    if not (_is(node, "env") or _is(node, "label")) or len(node.words) != 3 or node.words[2].text:
        return
    key, value, _ = node.words
    span = node.line.span(key.start, value.end)
    special = f"\"'{node.escape}"
    name, text = _raw(node, key), _raw(node, value)
    if span.line != span.end_line or any(char in name for char in special):
        return
    # A value that is a single word to the parser can stay as it is; any other needs quotes.
    whole = [word.text for word in split_quoted(Word(text, *value[1:]), node.escape)] == [text]
    if whole and not text.endswith(node.escape):
        yield Replacement(span, f"{name}={text}")
    elif not any(char in text for char in special):
        yield Replacement(span, f'{name}="{text}"')


def _maintainer(node: Node, file: _File) -> Iterator[Replacement]:
    if not _is(node, "maintainer") or not node.words:
        return
    (value,) = node.words
    span = node.line.span(node.name.start, value.end)
    if span.line != span.end_line:
        return
    text = _raw(node, value)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    quoted = "".join(node.escape + char if char in f'"${node.escape}' else char for char in text)
    name = "label" if node.name.text == node.name.text.lower() else "LABEL"
    yield Replacement(span, f'{name} {AUTHORS}="{quoted}"')


def _platform(node: Node, file: _File) -> Iterator[Replacement]:
    """Remove the flag, and the space after it unless the line ends there."""
    if not _is(node, "from") or len(node.flags) != 1:
        return
    flag = node.flags[0]
    span = node.place(flag)
    behind = node.place(node.rest)
    if span.line != span.end_line:
        return
    if behind.line == span.line:
        span = Span(span.source, span.line, span.column, behind.line, behind.column)
    yield Replacement(span, "")


def _protocol(node: Node, file: _File) -> Iterator[Replacement]:
    if not _is(node, "expose"):
        return

    def lower(text: str) -> str:
        port, slash, protocol = text.rpartition("/")
        is_literal = not any(char in protocol for char in f"$\"'{node.escape}")
        return f"{port}/{protocol.lower()}" if slash and is_literal else text

    for word in node.words:
        yield from _written(node, word, lower)


def _empty_lines(node: Node, file: _File) -> Iterator[Replacement]:
    pieces = node.line.pieces
    last = pieces[-1][1] if node.heredocs else node.end_line
    for number in range(pieces[0][1] + 1, last + 1):
        if not node.line.source.line(number).strip(SPACES):
            yield Replacement(Span(node.line.source, number, 1, number + 1, 1), "")


def _without_effect(node: Node, file: _File) -> Iterator[Replacement]:
    if node.name.text.lower() in ("cmd", "entrypoint", "healthcheck"):
        yield Replacement(Span(node.line.source, node.line.number, 1, node.end_line + 1, 1), "")


def _is(node: Node, name: str) -> bool:
    return node.name.text.lower() == name


Fix = Callable[[Node, _File], Iterator[Replacement]]

FIXES: dict[str, Fix] = {
    "ConsistentInstructionCasing": _casing,
    "FromAsCasing": _as,
    "StageNameCasing": _stage_name,
    "LegacyKeyValueFormat": _key_value,
    "MaintainerDeprecated": _maintainer,
    "RedundantTargetPlatform": _platform,
    "ExposeProtoCasing": _protocol,
    "NoEmptyContinuation": _empty_lines,
    "MultipleInstructionsDisallowed": _without_effect,
}
"""The fix of each rule, in the order in which they are applied. Fixes that remove lines come last."""
