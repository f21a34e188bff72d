"""Expands variables and quotes in a Dockerfile word, by the rules of BuildKit's Dockerfile frontend (1.26).

    $NAME  ${NAME}            the value; empty if unset
    ${NAME:-word}             `word` if NAME is unset or empty          (without the colon: only if unset)
    ${NAME:+word}             `word` if NAME is set and not empty       (without the colon: if set)
    ${NAME:?word}             an error saying `word` if NAME is unset or empty   (without: only if unset)
    ${NAME#p}  ${NAME##p}     the value without its shortest / longest prefix that matches `p`
    ${NAME%p}  ${NAME%%p}     the same for a suffix
    ${NAME/p/word}            the first, longest match of `p` replaced by `word`; `//` replaces every one

`word` and `p` are words themselves: they may hold quotes and further references. A name is letters, digits and `_`;
digits alone, and each of `@ * # ? - $ ! 0`, are names too (of shell parameters, so nothing sets them). A `$` before
anything else is a plain character. Single quotes keep everything, double quotes keep everything but `$` and the
escapes of `"`, `$` and the escape character; elsewhere the escape character keeps the character after it. Patterns:
see `shellpattern`.
"""

from __future__ import annotations

from pybuild.lang.dockerfile import shellpattern
from pybuild.lang.dockerfile.characters import SPACES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SPECIAL_PARAMETERS = frozenset("@*#?-$!0")
HEREDOC_BLANKS = " \t\r"
NESTING_LIMIT = 50
"""The deepest nesting of `${…}`."""


class WordError(ValueError):
    """A word that can't be expanded; the text says why, without a place.

    `unmatched` are the names it had looked up in vain.
    """

    unmatched: frozenset[str] = frozenset()


class Expansion:
    """The result of expanding a word, and the names it looked up: set ones (`matched`) and unset ones
    (`unmatched`)."""

    __slots__ = ("matched", "result", "unmatched")

    def __init__(self, result: str, matched: set[str], unmatched: set[str]) -> None:
        self.result = result
        self.matched = matched
        self.unmatched = unmatched

    def __repr__(self) -> str:
        return f"Expansion({self.result!r}, matched={self.matched!r}, unmatched={self.unmatched!r})"


class Lex:
    r"""Expands words; `escape` is the escape character of the file, `\` or a backtick.

    raw_quotes      quotes stay in the result (variables are expanded all the same)
    raw_escapes     escape characters stay in the result
    skip_quotes     quotes are plain characters: for texts that are not words, such as heredocs
    skip_unset_env  references to unset variables stay as they are written, their words expanded
    """

    __slots__ = ("escape", "raw_escapes", "raw_quotes", "skip_quotes", "skip_unset_env")

    def __init__(self, escape: str) -> None:
        self.escape = escape
        self.raw_quotes = False
        self.raw_escapes = False
        self.skip_quotes = False
        self.skip_unset_env = False

    def word(self, text: str, env: Mapping[str, str]) -> Expansion:
        """Expand `text` as one word, its spaces kept. Raises WordError."""
        if self._is_plain(text):
            return Expansion(text, set(), set())
        reader = _Reader(self, text, env)
        try:
            return Expansion(reader.until("", self.raw_escapes), reader.matched, reader.unmatched)
        except WordError as error:
            error.unmatched = frozenset(reader.unmatched)
            raise

    def words(self, text: str, env: Mapping[str, str]) -> list[str]:
        """Expand `text` and split it at unquoted white space, also in the values of variables. Raises WordError.

        Empty words are dropped, quoted ones too.
        """
        reader = _Reader(self, text, env)
        splitter = _Splitter()
        reader.until("", self.raw_escapes, splitter)
        return splitter.finish()

    def _is_plain(self, text: str) -> bool:
        return "$" not in text and self.escape not in text and "'" not in text and '"' not in text


class _Splitter:
    """Collects words from pieces that split at white space and pieces that are kept whole."""

    __slots__ = ("_current", "_done")

    def __init__(self) -> None:
        self._done: list[str] = []
        self._current: list[str] = []

    def split(self, text: str) -> None:
        for ch in text:
            if ch not in SPACES:
                self._current.append(ch)
            elif self._current:
                self._flush()

    def keep(self, text: str) -> None:
        if text:
            self._current.append(text)

    def finish(self) -> list[str]:
        if self._current:
            self._flush()
        return self._done

    def _flush(self) -> None:
        self._done.append("".join(self._current))
        self._current.clear()


class _Reader:
    """A single pass over a text. `_pos` is the index of the next character."""

    __slots__ = ("_depth", "_env", "_lex", "_pos", "_raw_escapes", "_text", "matched", "unmatched")

    def __init__(self, lex: Lex, text: str, env: Mapping[str, str]) -> None:
        self._lex = lex
        self._text = text
        self._env = env
        self._pos = 0
        self._depth = 0
        self._raw_escapes = lex.raw_escapes
        self.matched: set[str] = set()
        self.unmatched: set[str] = set()

    def until(self, stop: str, raw_escapes: bool, words: _Splitter | None = None) -> str:
        """Expand the text up to an unquoted `stop`, which is consumed, or up to the end if `stop` is empty."""
        outer, self._raw_escapes = self._raw_escapes, raw_escapes
        try:
            return self._until(stop, words or _Splitter())
        finally:
            self._raw_escapes = outer

    def _until(self, stop: str, words: _Splitter) -> str:
        out: list[str] = []
        while ch := self._next():
            if ch == stop:
                return "".join(out)
            if ch == "$":
                piece = self._dollar()
                words.split(piece)
            elif ch in "'\"" and not self._lex.skip_quotes:
                piece = self._single_quoted() if ch == "'" else self._double_quoted()
                words.keep(piece)
            elif ch == "<":
                piece = self._opened()
                words.keep(piece)
            elif ch == self._lex.escape:
                piece = (ch if self._raw_escapes else "") + self._next()
                words.keep(piece)
            else:
                piece = ch
                words.split(ch)
            out.append(piece)
        if stop:
            raise WordError(f"unexpected end of statement while looking for matching {stop}")
        return "".join(out)

    def _peek(self) -> str:
        return self._text[self._pos : self._pos + 1]

    def _next(self) -> str:
        """Consume the next character; the empty string at the end."""
        ch = self._text[self._pos : self._pos + 1]
        self._pos += len(ch)
        return ch

    def _opened(self) -> str:
        """Read the rest of a `<`. A `<<` keeps the blanks after it, which may lead to a heredoc's name."""
        if self._peek() != "<":
            return "<"
        start = self._pos
        self._pos += 1
        while (ch := self._peek()) and ch in HEREDOC_BLANKS:
            self._pos += 1
        return "<" + self._text[start : self._pos]

    def _single_quoted(self) -> str:
        end = self._text.find("'", self._pos)
        if end < 0:
            self._pos = len(self._text)
            raise WordError("unexpected end of statement while looking for matching single-quote")
        inner = self._text[self._pos : end]
        self._pos = end + 1
        return f"'{inner}'" if self._lex.raw_quotes else inner

    def _double_quoted(self) -> str:
        quote = '"' if self._lex.raw_quotes else ""
        escape = self._lex.escape
        out = [quote]
        while (ch := self._next()) != '"':
            if ch == "$":
                ch = self._dollar()
            elif ch == escape:
                if self._raw_escapes:
                    out.append(ch)
                following = self._peek()
                if following and following in ('"', "$", escape):
                    ch = self._next()
                elif not following:
                    ch = ""
            if not ch and self._pos == len(self._text):
                raise WordError("unexpected end of statement while looking for matching double-quote")
            out.append(ch)
        out.append(quote)
        return "".join(out)

    def _dollar(self) -> str:
        """Expand a reference, after its `$`."""
        if self._peek() != "{":
            name = self._name()
            if not name:
                return "$"
            value = self._get(name)
            if value is None:
                return "$" + name if self._lex.skip_unset_env else ""
            return value
        self._pos += 1
        if self._depth == NESTING_LIMIT:
            raise WordError(f"substitutions nested more than {NESTING_LIMIT} deep")
        self._depth += 1
        try:
            return self._braced()
        finally:
            self._depth -= 1

    def _braced(self) -> str:
        """Expand a reference, after its `${`."""
        following = self._peek()
        if not following:
            raise WordError("syntax error: missing '}'")
        if following in "{}:":
            raise WordError("syntax error: bad substitution")
        name = self._name()
        operator = self._next()
        if operator == "}":
            value = self._get(name)
            if value is None:
                return f"${{{name}}}" if self._lex.skip_unset_env else ""
            return value
        if not operator:
            raise WordError("syntax error: missing '}'")
        if operator == "/":
            return self._replaced(name)
        if operator not in ":+-?#%":
            raise WordError(f"unsupported modifier ({operator}) in substitution")
        return self._modified(name, operator)

    def _modified(self, name: str, operator: str) -> str:
        colon = operator == ":"
        if colon:
            operator = self._next()
        written = ":" + operator if colon else operator
        word = self._operand("}", operator in ("#", "%"), "syntax error: missing '}'")
        value = self._get(name)
        if value is None and self._lex.skip_unset_env:
            return f"${{{name}{written}{word}}}"
        absent = value is None or (colon and not value)
        match operator:
            case "-":
                return word if absent else value or ""
            case "+":
                return "" if absent else word
            case "?":
                if absent:
                    state = "unset" if value is None else "empty"
                    raise WordError(f"{name}: {word or f'is not allowed to be {state}'}")
                return value or ""
            case "#" | "%":
                return self._trimmed(operator, word, value or "")
        raise WordError(f"unsupported modifier ({written}) in substitution")

    def _trimmed(self, operator: str, pattern: str, value: str) -> str:
        longest = pattern.startswith(operator)
        pattern = pattern[1:] if longest else pattern
        trim = shellpattern.trim_prefix if operator == "#" else shellpattern.trim_suffix
        try:
            return trim(pattern, value, longest=longest)
        except ValueError as error:
            raise WordError(f"invalid pattern ({pattern}) in substitution: {error}") from None

    def _replaced(self, name: str) -> str:
        every = self._peek() == "/"
        if every:
            self._pos += 1
        pattern = self._operand("/", True, "syntax error: missing '/' in ${}")
        replacement = self._operand("}", True, "syntax error: missing '}'")
        value = self._get(name)
        if value is None and self._lex.skip_unset_env:
            return f"${{{name}{'//' if every else '/'}{pattern}/{replacement}}}"
        try:
            return shellpattern.replace(pattern, replacement, value or "", every=every)
        except ValueError as error:
            raise WordError(f"invalid pattern ({pattern}) in substitution: {error}") from None

    def _operand(self, stop: str, raw_escapes: bool, unfinished: str) -> str:
        """Expand a word inside braces. An error at the very end means that the braces aren't closed."""
        try:
            return self.until(stop, raw_escapes)
        except WordError:
            if self._pos == len(self._text):
                raise WordError(unfinished) from None
            raise

    def _name(self) -> str:
        text, start = self._text, self._pos
        first = self._peek()
        end = start
        if first.isdecimal():
            while text[end : end + 1].isdecimal():
                end += 1
        elif first in SPECIAL_PARAMETERS:
            end += 1
        else:
            while (ch := text[end : end + 1]) and (ch.isalpha() or ch.isdecimal() or ch == "_"):
                end += 1
        self._pos = end
        return text[start:end]

    def _get(self, name: str) -> str | None:
        value = self._env.get(name)
        (self.unmatched if value is None else self.matched).add(name)
        return value
