"""Expansion of an instruction's words, with errors that point at the instruction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

from pybuild.lang.diagnostics import SourceError, source_error
from pybuild.lang.dockerfile.goquote import quote
from pybuild.lang.dockerfile.words import Expansion, Lex, WordError
from pybuild.lang.source import Span

Watch = Callable[[Collection[str], Mapping[str, str]], None]
"""Hears which names a word asked for that its environment, the second argument, has no value for."""


class Words:
    """Expands words of a file whose escape character is `escape`. Errors are `SourceError`s at the span."""

    def __init__(self, escape: str) -> None:
        self._lex = Lex(escape)
        self._shown = Lex(escape)
        self._shown.raw_quotes = True
        self._shown.skip_unset_env = True
        self._bodies = Lex("\\")
        self._bodies.skip_quotes = True
        self._watch: Watch | None = None

    @contextmanager
    def watched(self, watch: Watch) -> Iterator[None]:
        """Inside, `watch` hears of names without a value: of single words and bodies, those with an error too."""
        self._watch = watch
        try:
            yield
        finally:
            self._watch = None

    def expand(self, text: str, environment: Mapping[str, str], span: Span) -> Expansion:
        """The word with variables replaced and quotes removed, and the names it asked for."""
        try:
            return self._word(self._lex, text, environment)
        except WordError as error:
            raise _failed(text, error, span) from None

    def _word(self, lex: Lex, text: str, environment: Mapping[str, str]) -> Expansion:
        missing: Collection[str] = ()
        try:
            found = lex.word(text, environment)
            missing = found.unmatched
            return found
        except WordError as error:
            missing = error.unmatched
            raise
        finally:
            if missing and self._watch is not None:
                self._watch(missing, environment)

    def one(self, text: str, environment: Mapping[str, str], span: Span) -> str:
        return self.expand(text, environment, span).result

    def many(self, texts: Iterable[str], environment: Mapping[str, str], span: Span) -> list[str]:
        """Every text expanded and split into words."""
        out: list[str] = []
        for text in texts:
            try:
                out.extend(self._lex.words(text, environment))
            except WordError as error:
                raise _failed(text, error, span) from None
        return out

    def body(self, text: str, environment: Mapping[str, str], span: Span) -> str:
        """A heredoc's body with variables replaced; quotes mean nothing in it."""
        try:
            return self._word(self._bodies, text, environment).result
        except WordError as error:
            raise source_error(f"cannot expand the heredoc: {error}", span) from None

    def shown(self, text: str, environment: Mapping[str, str], *, command: bool = False) -> str:
        """An instruction as progress shows it: expanded where that works, else as written.

        In a `command` quotes stay, and so do variables that aren't set.
        """
        try:
            return (self._shown if command else self._lex).word(text, environment).result
        except WordError:
            return text


def _failed(text: str, error: WordError, span: Span) -> SourceError:
    failed = source_error(f'failed to process "{text}": {error}', span)
    failed.diagnostic = failed.diagnostic.known_as(f"failed to process {quote(text)}: {error}")
    return failed
