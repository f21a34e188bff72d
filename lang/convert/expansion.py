"""Expands words of a Dockerfile in which some variables are expressions of the language.

The word is read by `lang.dockerfile.words`, which knows nothing of expressions:

1. A character of a private plane stands for each expression, and is replaced by it afterwards.
2. `${X#p}`, `${X%p}` and `${X/p/r}` of an expression become a call of a method, if `p` is plain text.
3. `${X:-w}` and the like depend on whether an expression is empty: the word is read once for each case, and results
   that differ are joined by `if … else`.
"""

from __future__ import annotations

import re
from itertools import product

from attrs import frozen

from pybuild.lang.convert import problems
from pybuild.lang.convert.values import (
    Native,
    Piece,
    StringExpression,
    Value,
    condition,
    is_local,
    joined,
    known,
    may_be_empty,
    operand,
    string,
    written,
)
from pybuild.lang.dockerfile.words import Lex, WordError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final

    from pybuild.lang.source import Span

_FIRST: Final = 0x100000
"""The first character of Unicode's private plane 16. They stand for expressions, as no Dockerfile uses them."""
_MOST_CASES: Final = 3
_PART: Final = re.compile(r"\$\{(\w+)(##?|%%?|//?)((?:[^{}$\\\"'*?\[\]/]|(?<=/)/)*)(?:/([^{}$\\\"'/]*))?\}")
_ANY_PART: Final = re.compile(r"\$\{(\w+)[#%/]")
_CASE: Final = re.compile(r"\$\{(\w+):?[-+?]")
_NAME: Final = re.compile(r"\$\{?(\w+)")
_SIMPLE: Final = re.compile(r"[\w.]+(?:\(\w+\))?")
_BRACED: Final = re.compile(r"\$\{(\w+)[^\w}]")


@frozen
class Variable:
    """The value of a name.

    `image`: it is in the image environment with this value, so that `$NAME` of the language is the same. `unset`: if
    it is empty, it counts as unset.
    """

    value: Value
    image: bool = False
    unset: bool = False


@frozen
class Unknown:
    """How a stage treats names that nothing sets.

    `whole`: they have no value, since the base image's whole environment is known. Otherwise they are left to the
    language (`native`), taken for unset (`lenient`), or an error. `differs` is called with changes of meaning.
    """

    whole: bool
    native: bool
    differs: Callable[[str], None]
    lenient: bool = False


class Words:
    """Expands the words of one file. `escape` is its escape character."""

    def __init__(self, escape: str) -> None:
        self._word = Lex(escape)
        self._body = Lex("\\")
        self._body.skip_quotes = True

    def expand(
        self,
        text: str,
        variables: Mapping[str, Variable],
        unknown: Unknown,
        span: Span,
        *,
        body: bool = False,
    ) -> Value:
        """Expand a word, or the `body` of a heredoc. Raises SourceError."""
        reading = _Reading(self._body if body else self._word, text, dict(variables), unknown, span)
        return reading.value()

    def split(
        self, text: str, variables: Mapping[str, Variable], unknown: Unknown, span: Span
    ) -> list[Value]:
        """Expand a word and split it at white space, also at that in known values. Raises SourceError."""
        reading = _Reading(self._word, text, dict(variables), unknown, span)
        return reading.words()


class _Reading:
    """The expansion of a single word."""

    def __init__(
        self, lex: Lex, text: str, variables: dict[str, Variable], unknown: Unknown, span: Span
    ) -> None:
        self._lex = lex
        self._span = span
        self._unknown = unknown
        self._variables = variables
        self._pieces: list[Piece] = []
        self._parts: dict[str, str] = {}
        self._text = self._with_methods(text)
        self._braced = set(_BRACED.findall(text))

    def value(self) -> Value:
        cases = self._cases()
        if not cases:
            return self._read(frozenset())
        results: list[tuple[frozenset[str], Value]] = []
        for answer in product((True, False), repeat=len(cases)):
            empty = frozenset(name for name, full in zip(cases, answer, strict=True) if not full)
            try:
                results.append((empty, self._read(empty)))
            except WordError:
                # `${X:?}` fails in this case, so the build ends there, whatever the conversion's value is.
                continue
        if not results:
            raise problems.bad_word(self._text, "has no value in any case", self._span)
        return self._chosen(cases, results)

    def words(self) -> list[Value]:
        environment = _Environment(self, frozenset())
        try:
            return [self._decoded(word) for word in self._lex.words(self._text, environment)]
        except WordError as error:
            raise problems.bad_word(self._text, str(error), self._span) from None

    # Cases

    def _cases(self) -> list[str]:
        """Return the names whose emptiness the result depends on."""
        names = dict.fromkeys(_CASE.findall(self._text))
        deciding = [
            name
            for name in names
            if (variable := self._variables.get(name)) is not None
            and variable.value
            and may_be_empty(variable.value)
        ]
        if len(deciding) > _MOST_CASES:
            raise problems.too_many_cases(self._span)
        return deciding

    def _chosen(self, cases: list[str], results: list[tuple[frozenset[str], Value]]) -> Value:
        """Join the values of all cases by conditions, unless one expression is right for all."""
        full = results[0][1]
        for empty, value in results[1:]:
            if self._emptied(full, empty) != self._emptied(value, empty):
                return self._branched(cases, results)
        return full

    def _emptied(self, value: Value, empty: frozenset[str]) -> Value:
        """Return the value without the expressions that are empty."""
        gone = {piece for name in empty for piece in self._variables[name].value}
        return joined(piece for piece in value if piece not in gone)

    def _branched(self, cases: list[str], results: list[tuple[frozenset[str], Value]]) -> Value:
        *others, (_, last) = results
        code = written(last)
        for empty, value in reversed(others):
            tests = [self._condition(name, full=name not in empty) for name in cases]
            code = f"{operand(written(value))} if {' and '.join(tests)} else {code}"
        values = [value for _, value in results]
        return (StringExpression(code, any(map(may_be_empty, values)), any(map(is_local, values))),)

    def _condition(self, name: str, *, full: bool) -> str:
        return condition(self._variables[name].value, "!=" if full else "==")

    # Reading

    def _read(self, empty: frozenset[str]) -> Value:
        try:
            return self._decoded(self._lex.word(self._text, _Environment(self, empty)).result)
        except WordError as error:
            if empty:
                raise
            raise problems.bad_word(self._text, str(error), self._span) from None

    def lookup(self, name: str, empty: frozenset[str]) -> str | None:
        """Return the value of a name, with stand-ins for expressions; None if it is unset."""
        variable = self._variables.get(name)
        if variable is None:
            return self._nobody_sets(name)
        if name in empty:
            return None if variable.unset else ""
        if variable.image and self._unknown.native and not self._braced:
            return self._encoded((Native(name),))
        left = next((piece for piece in variable.value if isinstance(piece, Native)), None)
        if left is not None and not self._unknown.native:
            raise problems.unknown_variable(left.name, self._span)
        return self._encoded(variable.value)

    def _nobody_sets(self, name: str) -> str | None:
        if self._unknown.whole or not (name[0].isalpha() or name[0] == "_"):
            return None
        is_path = name == "PATH" and self._unknown.native
        if (name in self._braced and not is_path) or (self._unknown.lenient and not self._unknown.native):
            self._unknown.differs(f"it counts as certain that the base image doesn't set {name}")
            return None
        if not self._unknown.native:
            raise problems.unknown_variable(name, self._span)
        if not is_path:
            self._unknown.differs(f"it is an error if the base image doesn't set {name}")
        return self._encoded((Native(name),))

    def _encoded(self, value: Value) -> str:
        out = ""
        for piece in value:
            if isinstance(piece, str):
                out += piece
                continue
            if piece not in self._pieces:
                self._pieces.append(piece)
            out += chr(_FIRST + self._pieces.index(piece))
        return out

    def _decoded(self, text: str) -> Value:
        for name, part in self._parts.items():
            # The part was in single quotes, or its `$` was escaped, so it is no reference: restore its text.
            text = text.replace(name, part)
        return joined(self._piece(char) for char in text)

    def _piece(self, char: str) -> Piece:
        place = ord(char) - _FIRST
        return self._pieces[place] if 0 <= place < len(self._pieces) else char

    # Parts

    def _with_methods(self, text: str) -> str:
        """Replace operators on expressions by names of new variables, whose values are method calls."""
        text = _PART.sub(self._method, text)
        for match in _ANY_PART.finditer(text):
            operand = text[match.end() : text.find("}", match.end())]
            for name in (match[1], *_NAME.findall(operand)):
                variable = self._variables.get(name)
                if variable is not None and known(variable.value) is None:
                    raise problems.operator_of_argument(match[1], self._span)
        return text

    def _method(self, match: re.Match[str]) -> str:
        name, operator, pattern, replacement = match.groups()
        variable = self._variables.get(name)
        if variable is None or known(variable.value) is not None:
            return match[0]
        if (replacement is not None) != operator.startswith("/") or not pattern:
            return match[0]
        code = written(variable.value)
        if len(variable.value) == 1 and not _SIMPLE.fullmatch(code):
            code = f"({code})"
        if operator[0] == "#":
            code += f".removeprefix({string(pattern)})"
        elif operator[0] == "%":
            code += f".removesuffix({string(pattern)})"
        else:
            code += f".replace({string(pattern)}, {string(replacement)})"
            if operator == "/":
                self._unknown.differs(f"every {pattern} in {name} is replaced, not only the first one")
        part = f"__part{len(self._parts)}__"
        self._parts[part] = match[0].removeprefix("${").removesuffix("}")
        self._variables[part] = Variable((StringExpression(code, local=is_local(variable.value)),))
        return f"${{{part}}}"


class _Environment(dict[str, str]):
    """Looks up names for a reader."""

    def __init__(self, reading: _Reading, empty: frozenset[str]) -> None:
        super().__init__()
        self._reading = reading
        self._empty = empty

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        return self._reading.lookup(name, self._empty)
