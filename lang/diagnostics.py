"""Messages to users about a build: facts, places in the source, and what to do.

Every error that a user can cause is a `UserError`, which carries a `Diagnostic`; the front door renders it.

    UserError                exit code 1: the build, a test or a check failed
    ├── SourceError          exit code 2: a build file or an input of it is wrong
    │   └── SourceErrors     several of them, in the order of their places
    ├── UsageError           exit code 2: a command line or a configuration file is wrong
    └── Cancelled            exit code 130

Other packages derive their own errors (`RegistryError`, `StepFailed`, …), which hold data rather than prose.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pybuild.lang.source import Span


DEBUG = "PYBUILD_DEBUG"
"""Variable of the environment: with the value 1 tracebacks are shown as well."""

LONGEST_LINE = 400
"""The most characters that are shown of a source line."""


class Label:
    """A place in a source with a text about it. The primary label marks the cause."""

    __slots__ = ("primary", "span", "text")

    def __init__(self, span: Span, text: str = "", *, primary: bool = True) -> None:
        self.span = span
        self.text = text
        self.primary = primary


class Edit:
    """A change that fixes what a message is about: replace `span` with `text`."""

    __slots__ = ("span", "text")

    def __init__(self, span: Span, text: str) -> None:
        self.span = span
        self.text = text


class Diagnostic:
    """A message: a title that states the fact, labelled places, notes and help.

    `notes` are pairs of a word (`help`, `note`, `with`, `output`) and a text of one or more lines. `url` is a page
    about messages of this kind, or empty. `edits` taken together are one fix; there are none if no single fix is
    likely. `buildkit` is the fact in BuildKit's words, which its clients compare; it is empty if the title already
    has them. `lines` are the first and the last line of what the message is about, if that is more than the labels
    cover.
    """

    __slots__ = ("buildkit", "code", "edits", "labels", "level", "lines", "notes", "title", "url")

    def __init__(
        self,
        title: str,
        *,
        labels: Sequence[Label] = (),
        notes: Iterable[tuple[str, str]] = (),
        code: str | None = None,
        level: str = "error",
        url: str = "",
        edits: Iterable[Edit] = (),
        buildkit: str = "",
        lines: tuple[int, int] | None = None,
    ) -> None:
        self.title = title
        self.labels = tuple(labels)
        self.notes = tuple(notes)
        self.code = code
        self.level = level
        self.url = url
        self.edits = tuple(edits)
        self.buildkit = buildkit
        self.lines = lines

    @property
    def span(self) -> Span | None:
        """The place of the cause, None if no label is primary."""
        return next((label.span for label in self.labels if label.primary), None)

    def at(self, span: Span) -> Diagnostic:
        """Return the same message about another place, without edits."""
        return self._with(labels=(Label(span),), edits=())

    def with_labels(self, labels: Sequence[Label], edits: Sequence[Edit] | None = None) -> Diagnostic:
        """Return the same message with other labels and, unless `edits` is None, other edits."""
        return self._with(labels=labels, edits=edits)

    def with_note(self, word: str, text: str) -> Diagnostic:
        return self._with(notes=(*self.notes, (word, text)))

    def known_as(self, buildkit: str, lines: tuple[int, int] | None = None) -> Diagnostic:
        """Return the same message with other words for BuildKit's clients and, unless `lines` is None, other
        lines."""
        return self._with(buildkit=buildkit, lines=lines)

    def without(self, word: str) -> Diagnostic:
        """Return the message without its notes of this word. A note's word may have a suffix, as in `output (2
        lines)`."""
        return self._with(notes=tuple(note for note in self.notes if note[0].partition(" ")[0] != word))

    def _with(
        self,
        *,
        labels: Sequence[Label] | None = None,
        notes: Sequence[tuple[str, str]] | None = None,
        edits: Sequence[Edit] | None = None,
        buildkit: str | None = None,
        lines: tuple[int, int] | None = None,
    ) -> Diagnostic:
        return Diagnostic(
            self.title,
            labels=self.labels if labels is None else labels,
            notes=self.notes if notes is None else notes,
            code=self.code,
            level=self.level,
            url=self.url,
            edits=self.edits if edits is None else edits,
            buildkit=self.buildkit if buildkit is None else buildkit,
            lines=self.lines if lines is None else lines,
        )


class UserError(Exception):
    """An error shown to a user.

    `str(error)` is the title alone. In an uncaught error's traceback Python shows the whole message, since it is one
    of the exception's notes.
    """

    exit_code = 1
    origin: object = None
    """The part of the build that failed (`runtime.ops.origin`), set by whatever executes it."""
    _noted: list[str]

    def __init__(self, diagnostic: Diagnostic | str, *, help: str | None = None) -> None:
        if isinstance(diagnostic, str):
            diagnostic = Diagnostic(diagnostic)
        if help is not None:
            diagnostic = diagnostic.with_note("help", help)
        super().__init__(diagnostic.title)
        self.diagnostic = diagnostic

    @property
    def messages(self) -> tuple[Diagnostic, ...]:
        """All messages to show for this error."""
        return (self.diagnostic,)

    @property
    def __notes__(self) -> list[str]:  # type: ignore[override]
        """The rendered message, followed by notes of `add_note`. It is rendered only when first read."""
        if "_noted" not in vars(self):
            self._noted = ["\n".join(map(render, self.messages))]
        return self._noted

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the attributes instead of constructor arguments, which differ among subclasses."""
        return _remade, (type(self), self.args), vars(self)


def _remade(kind: type[UserError], args: tuple[object, ...]) -> UserError:
    error = kind.__new__(kind)
    Exception.__init__(error, *args)
    return error


class SourceError(UserError):
    exit_code = 2


class SourceErrors(SourceError):
    """Errors in several places. `diagnostic` is the first error; `diagnostics` are all messages, warnings included.

    The exit code is 1 instead of 2 if every error is about something that a file names but that can't be fetched
    (codes R…): then no file is wrong, and the build has failed.
    """

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        first = next((one for one in diagnostics if one.level == "error"), diagnostics[0])
        super().__init__(first)
        self.diagnostics = tuple(diagnostics)
        if all((one.code or "").startswith("R") for one in self.diagnostics if one.level == "error"):
            self.exit_code = UserError.exit_code

    @property
    def messages(self) -> tuple[Diagnostic, ...]:
        return self.diagnostics


class UsageError(UserError):
    exit_code = 2


class Cancelled(UserError):
    exit_code = 130

    def __init__(self, title: str = "cancelled") -> None:
        super().__init__(title)


def source_error(
    title: str, span: Span, label: str = "", *, help: str | None = None, note: str | None = None
) -> SourceError:
    """Make the usual SourceError: one fact at one place, perhaps with a note and a help line."""
    notes = [(word, text) for word, text in (("note", note), ("help", help)) if text]
    return SourceError(Diagnostic(title, labels=[Label(span, label)], notes=notes))


def render(diagnostic: Diagnostic) -> str:
    """Return the diagnostic as text: title, place, source frame with carets, notes. ASCII frames, no colour.

    Quoted text is made `visible`; only notes of `output` stay as a program wrote them.
    """
    code = f"[{diagnostic.code}]" if diagnostic.code else ""
    title = visible(diagnostic.title)
    if code:
        title = title.replace("\n", _sign("\n"))
    out = [f"{diagnostic.level}{code}: {title}"]
    labels = diagnostic.labels
    width = max((len(str(label.span.end_line)) for label in labels), default=0)
    gutter = " " * width
    if labels:
        cause = next((label for label in labels if label.primary), labels[0])
        out.append(f"{gutter}--> {visible(cause.span.place)}")
        out.append(f"{gutter} |")
        out.extend(map(visible, _frame(labels, cause.span.source.name, width)))
    notes = [*diagnostic.notes, *([("see", diagnostic.url)] if diagnostic.url else [])]
    if labels and notes:
        out.append(f"{gutter} |")
    for word, text in notes:
        first, *rest = (text if _is_output(word) else visible(text)).split("\n")
        out.append(f"{gutter} = {word}: {first}".rstrip())
        out.extend(f"{gutter}   {line}" if line else "" for line in rest)
    return "\n".join(out)


def _is_output(word: str) -> bool:
    return word.partition(" ")[0] == "output"


def _frame(labels: Sequence[Label], name: str, width: int) -> list[str]:
    out: list[str] = []
    previous = 0
    shown_name = name
    for label in sorted(
        labels, key=lambda label: (label.span.source.name != name, label.span.source.name, label.span.line)
    ):
        span = label.span
        if span.source.name != shown_name:
            out += [f"{' ' * width}::: {span.place}", f"{' ' * width} |"]
            shown_name, previous = span.source.name, 0
        # A span that ends in the first column of a line doesn't mark that line. A frame shows at most ten
        # lines of a span.
        last = span.end_line - 1 if span.end_line > span.line and span.end_column <= 1 else span.end_line
        last = min(last, span.line + 9)
        if previous and span.line > previous + 1:
            out.append("...")
        for number in range(max(span.line, previous + 1) if previous >= span.line else span.line, last + 1):
            column = span.column if number == span.line else 1
            shown, _ = _clipped(span.source.line(number), column)
            out.append(f"{number:>{width}} | {shown}".expandtabs(1).rstrip())
            previous = number
        if last == span.line:
            line = span.source.line(span.line)
            text, moved = _clipped(line, span.column)
            end = span.end_column if span.end_line == span.line else len(line) + 1
            start = span.column - 1 - moved
            before = display_width(text[:start].expandtabs(1))
            marked = max(1, display_width(text[start : end - 1 - moved].expandtabs(1)))
            mark = ("^" if label.primary else "-") * marked
            out.append(f"{' ' * width} | {' ' * before}{mark} {label.text}".rstrip())
        elif label.text:
            out.append(f"{' ' * width} | {'^' if label.primary else '-'} {label.text}")
    return out


def _clipped(line: str, column: int) -> tuple[str, int]:
    """Return the part of a line to show, around `column` if the line is long, and how far that moves columns to the
    left."""
    if len(line) <= LONGEST_LINE:
        return line, 0
    first = 0 if column <= LONGEST_LINE // 2 else column - LONGEST_LINE // 4
    shown = line[first : first + LONGEST_LINE]
    end = "…" if first + LONGEST_LINE < len(line) else ""
    return ("…" if first else "") + shown + end, first - 1 if first else 0


def visible(text: str) -> str:
    """Return `text` with a visible sign for each character that shows nothing or that a terminal obeys.

    The sign has the same width: `␛` for an escape character, U+FFFD for a byte that isn't UTF-8, a format or a
    private character. Line ends, tabs and all spaces stay.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\t\n" else _sign(char) for char in text)


def _sign(char: str) -> str:
    from unicodedata import category

    if char < " ":
        return chr(0x2400 + ord(char))
    if char == "\x7f":
        return "\u2421"
    return char if category(char) == "Zs" else "\ufffd"


def display_width(text: str) -> int:
    """Return how many terminal cells `text` takes: two for a wide East Asian character, none for a combining one."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def suggest(word: str, names: Iterable[str], limit: int = 0) -> str | None:
    """Return the nearest of `names`, None if none is near.

    A near name is within a Damerau-Levenshtein distance of `limit` (default: a third of the word's length, at least
    1) and has something in common with the word. Case makes no difference.
    """
    limit = limit or max(1, len(word) // 3)
    scored = [(_distance(word.lower(), name.lower(), limit), name) for name in names]
    near = sorted(
        (score, name)
        for score, name in scored
        if score <= limit and name != word and score < max(len(word), len(name))
    )
    return near[0][1] if near else None


def meant(word: str, names: Iterable[str]) -> str:
    """Return the suffix that BuildKit adds to a message about a word that is none of `names`."""
    near = suggest(word, names, 2)
    return f" (did you mean {near}?)" if near else ""


def _distance(a: str, b: str, limit: int) -> int:
    """Return the Damerau-Levenshtein distance (optimal string alignment), or `limit + 1` if the lengths alone exceed
    it."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        current = [i]
        for j, y in enumerate(b, 1):
            cost = min(row[j] + 1, current[j - 1] + 1, row[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        before, row = row, current
    return row[-1]
