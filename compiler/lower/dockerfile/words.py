"""Expansion of an instruction's words, with errors that point at the instruction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

from pybuild.lang.diagnostics import SourceError, source_error
from pybuild.lang.dockerfile.goquote import quote
from pybuild.lang.dockerfile.words import Expansion, Lex, WordError
from pybuild.lang.source import Span

Watch = Callable[[Collection[str], Mapping[str, str]], None]
"""A listener for undefined variables: it gets their names, and the environment that lacks them."""


class Words:
    """Expansion of words of a file whose escape character is `escape`. Errors are `SourceError`s at the span."""

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
        """Within the context, report undefined variables of single words and heredocs to `watch`, also on errors."""
        self._watch = watch
        try:
            yield
        finally:
            self._watch = None

    def expand(self, text: str, environment: Mapping[str, str], span: Span) -> Expansion:
        """Expand a word: replace variables, remove quotes. The result also has the names of its variables."""
        try:
            return self._word(self._lex, text, environment)
        except WordError as error:
            raise _failed(text, error, span) from None

    def _word(self, lex: Lex, text: str, environment: Mapping[str, str]) -> Expansion:
        missing: Collection[str] = ()
        try:
            expansion = lex.word(text, environment)
            missing = expansion.unmatched
            return expansion
        except WordError as error:
            missing = error.unmatched
            raise
        finally:
            if missing and self._watch is not None:
                self._watch(missing, environment)

    def one(self, text: str, environment: Mapping[str, str], span: Span) -> str:
        return self.expand(text, environment, span).result

    def many(self, texts: Iterable[str], environment: Mapping[str, str], span: Span) -> list[str]:
        """Expand texts and split them into words."""
        out: list[str] = []
        for text in texts:
            try:
                out.extend(self._lex.words(text, environment))
            except WordError as error:
                raise _failed(text, error, span) from None
        return out

    def body(self, text: str, environment: Mapping[str, str], span: Span) -> str:
        """Expand the body of a heredoc, in which quotes have no meaning."""
        try:
            return self._word(self._bodies, text, environment).result
        except WordError as error:
            raise source_error(f"cannot expand the heredoc: {error}", span) from None

    def shown(self, text: str, environment: Mapping[str, str], *, command: bool = False) -> str:
        """Return an instruction for progress: expanded if possible, else as written.

        In a `command` quotes and undefined variables are kept.
        """
        try:
            return (self._shown if command else self._lex).word(text, environment).result
        except WordError:
            return text


def _failed(text: str, error: WordError, span: Span) -> SourceError:
    failed = source_error(f'failed to process "{text}": {error}', span)
    failed.diagnostic = failed.diagnostic.known_as(f"failed to process {quote(text)}: {error}")
    return failed
