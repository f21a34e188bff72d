"""Mistakes in what holds a program together: words of the syntax, signs, brackets, quotes, indentation."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lang.textual.mutants.kinds import Change, kind, misspelt
from tests.lang.textual.mutants.pieces import Piece, Program

_HABITS = {"and": "&&", "or": "||", "not": "!", "true": "True", "false": "False", "elif": "else if"}
_PAIRS = {
    "from": "to",
    "to": "from",
    "for": "in",
    "in": "for",
    "if": "else",
    "else": "if",
    "on": "in",
    "as": "from",
}
_CONNECTING = ("to", "from", "in", "on", "as", "for", "if", "else", "with")


def _signs(program: Program, *texts: str) -> Iterator[Piece]:
    return (piece for piece in program.pieces if piece.kind == "sign" and piece.text in texts)


def _keywords(program: Program, *texts: str) -> Iterator[Piece]:
    return (
        piece for piece in program.pieces if piece.kind == "keyword" and (not texts or piece.text in texts)
    )


def _strings(program: Program) -> Iterator[Piece]:
    return (piece for piece in program.pieces if piece.kind == "string")


def _gone(program: Program, piece: Piece) -> Change:
    """A piece left out, with the space behind it."""
    end = piece.end + (program.text[piece.end : piece.end + 1] == " ")
    return Change(piece.start, end, "")


# Words


@kind("dropped colon")
def dropped_colon(program: Program) -> Iterator[Change]:
    for row in program.rows:
        last = [
            piece for piece in row.pieces if piece.kind != "raw" and not piece.spliced and piece.text != "${{"
        ]
        colons = [piece for piece in last if piece.text == ":" and piece.depth == 0]
        if colons and row.head not in ("param", "let"):
            yield Change(colons[-1].start, colons[-1].end, "")


@kind("misspelt statement word")
def misspelt_statement(program: Program) -> Iterator[Change]:
    for piece in _keywords(program):
        if piece.at == 0:
            yield Change(piece.start, piece.end, misspelt(piece.text))


@kind("statement word in capitals")
def capitals(program: Program) -> Iterator[Change]:
    for piece in _keywords(program):
        if piece.at == 0:
            yield Change(piece.start, piece.end, piece.text.upper())


@kind("misspelt keyword")
def misspelt_keyword(program: Program) -> Iterator[Change]:
    for piece in _keywords(program):
        if piece.at:
            yield Change(piece.start, piece.end, misspelt(piece.text))


@kind("dropped keyword", sure=False)
def dropped_keyword(program: Program) -> Iterator[Change]:
    for piece in _keywords(program, *_CONNECTING):
        if piece.at:
            yield _gone(program, piece)


@kind("dropped statement word")
def dropped_statement(program: Program) -> Iterator[Change]:
    for piece in _keywords(program):
        if piece.at == 0:
            yield _gone(program, piece)


@kind("doubled word", sure=False)
def doubled_word(program: Program) -> Iterator[Change]:
    for piece in _keywords(program):
        if piece.text != "run":
            yield Change(piece.end, piece.end, " " + piece.text)


@kind("swapped keywords", sure=False)
def swapped_keyword(program: Program) -> Iterator[Change]:
    for piece in _keywords(program, *_PAIRS):
        if piece.at:
            yield Change(piece.start, piece.end, _PAIRS[piece.text])


@kind("word of another language", sure=False)
def habit(program: Program) -> Iterator[Change]:
    for piece in _keywords(program, *_HABITS):
        yield Change(piece.start, piece.end, _HABITS[piece.text])


# Signs


@kind("dropped comma", sure=False)
def dropped_comma(program: Program) -> Iterator[Change]:
    for piece in _signs(program, ","):
        yield Change(piece.start, piece.end, "")


@kind("extra comma", sure=False)
def extra_comma(program: Program) -> Iterator[Change]:
    for piece in program.pieces:
        if piece.kind in ("string", "number") or piece.text == ",":
            yield Change(piece.end, piece.end, ",")


@kind("`=` written as `:`")
def colon_for_equals(program: Program) -> Iterator[Change]:
    for piece in _signs(program, "="):
        yield Change(piece.start, piece.end, ":")


@kind("`:` written as `=`")
def equals_for_colon(program: Program) -> Iterator[Change]:
    for piece in _signs(program, ":"):
        yield Change(piece.start, piece.end, "=")


@kind("`==` written as `=`")
def equals_once(program: Program) -> Iterator[Change]:
    for piece in _signs(program, "=="):
        yield Change(piece.start, piece.end, "=")


@kind("`=` written as `==`")
def equals_twice(program: Program) -> Iterator[Change]:
    for piece in _signs(program, "="):
        yield Change(piece.start, piece.end, "==")


@kind("dropped `=`", sure=False)
def dropped_equals(program: Program) -> Iterator[Change]:
    for piece in _signs(program, "="):
        yield _gone(program, piece)


@kind("dropped operator", sure=False)
def dropped_operator(program: Program) -> Iterator[Change]:
    for piece in _signs(program, "+", "!=", ">", ">=", ".", "->", "|"):
        yield _gone(program, piece)


@kind("semicolon")
def semicolon(program: Program) -> Iterator[Change]:
    for row in program.rows:
        if row.pieces[-1].kind != "raw" and row.head not in ("run", "write"):
            yield Change(row.pieces[-1].end, row.pieces[-1].end, ";")


@kind("stray character", sure=False)
def stray_character(program: Program) -> Iterator[Change]:
    for at, piece in enumerate(program.pieces):
        if piece.kind != "raw" and not piece.spliced:
            yield Change(piece.start, piece.start, "@;!?&$"[at % 6])


# Brackets


@kind("unclosed bracket")
def unclosed_bracket(program: Program) -> Iterator[Change]:
    for piece in _signs(program, ")", "]", "}"):
        yield Change(piece.start, piece.end, "")


@kind("unopened bracket")
def unopened_bracket(program: Program) -> Iterator[Change]:
    for piece in _signs(program, "(", "[", "{"):
        yield Change(piece.start, piece.end, "")


@kind("wrong bracket")
def wrong_bracket(program: Program) -> Iterator[Change]:
    for piece in _signs(program, "(", "[", "{", ")", "]", "}"):
        yield Change(
            piece.start, piece.end, {"(": "[", "[": "(", "{": "[", ")": "]", "]": ")", "}": ")"}[piece.text]
        )


@kind("extra bracket")
def extra_bracket(program: Program) -> Iterator[Change]:
    for piece in _signs(program, "(", "[", "{", ")", "]", "}"):
        yield Change(piece.end, piece.end, piece.text)


@kind("unclosed interpolation")
def unclosed_interpolation(program: Program) -> Iterator[Change]:
    for piece in _signs(program, "}}"):
        yield Change(piece.start, piece.end, "")
        yield Change(piece.start, piece.end, "}")


@kind("empty interpolation")
def empty_interpolation(program: Program) -> Iterator[Change]:
    opening = 0
    for piece in _signs(program, "${{", "}}"):
        if piece.text == "}}":
            yield Change(opening, piece.start, "")
        opening = piece.end


# Quotes


@kind("unclosed quote")
def unclosed_quote(program: Program) -> Iterator[Change]:
    for piece in _strings(program):
        yield Change(piece.end - 1, piece.end, "")


@kind("unopened quote")
def unopened_quote(program: Program) -> Iterator[Change]:
    for piece in _strings(program):
        yield Change(piece.start, piece.start + 1, "")


@kind("no quotes", sure=False)
def no_quotes(program: Program) -> Iterator[Change]:
    for piece in _strings(program):
        if not piece.text.startswith(("r", '"""')):
            yield Change(piece.start, piece.end, piece.text[1:-1])


@kind("unequal quotes")
def unequal_quotes(program: Program) -> Iterator[Change]:
    for piece in _strings(program):
        if not piece.text.startswith(("r", '"""')):
            yield Change(piece.end - 1, piece.end, "'")


@kind("typographic quotes")
def typographic_quotes(program: Program) -> Iterator[Change]:
    for piece in _strings(program):
        if not piece.text.startswith(("r", '"""')):
            yield Change(piece.start, piece.end, f"\u201c{piece.text[1:-1]}\u201d")


@kind("unclosed triple quote")
def unclosed_triple_quote(program: Program) -> Iterator[Change]:
    for piece in _strings(program):
        if piece.text.startswith('"""'):
            yield Change(piece.end - 3, piece.end, "")
            yield Change(piece.end - 1, piece.end, "")
        elif not piece.text.startswith("r"):
            yield Change(piece.start, piece.start, '""')


@kind("bad escape")
def bad_escape(program: Program) -> Iterator[Change]:
    for piece in _strings(program):
        if not piece.text.startswith("r"):
            yield Change(piece.start + 1, piece.start + 1, "\\q")


# Indentation


@kind("dedent", sure=False)
def dedent(program: Program) -> Iterator[Change]:
    for row in program.rows:
        if row.indent:
            start = program.start(row.first)
            yield Change(start, start + 1, "")


@kind("statement at the top level", sure=False)
def outdent(program: Program) -> Iterator[Change]:
    for row in program.rows:
        if row.indent:
            start = program.start(row.first)
            yield Change(start, start + row.indent, "")


@kind("indent", sure=False)
def indent(program: Program) -> Iterator[Change]:
    first = True
    for row in program.rows:
        if row.indent and not first:
            start = program.start(row.first)
            yield Change(start, start, "  ")
        first = row.pieces[-1].text == ":"


@kind("declaration in a body", sure=False)
def indented_declaration(program: Program) -> Iterator[Change]:
    for row in program.rows[1:]:
        if not row.indent:
            start = program.start(row.first)
            yield Change(start, start, "    ")


@kind("tab")
def tab(program: Program) -> Iterator[Change]:
    for row in program.rows:
        if row.indent:
            start = program.start(row.first)
            yield Change(start, start + row.indent, "\t" * (row.indent // 4))


@kind("no body")
def no_body(program: Program) -> Iterator[Change]:
    for row in program.rows:
        body = program.body(row)
        if body:
            yield Change(
                row.pieces[-1].end, program.start(body[-1].last) + len(program.lines[body[-1].last - 1]), ""
            )
        elif row.head == "run":
            end = program.start(row.last) + len(program.lines[row.last - 1])
            yield Change(row.pieces[0].end, end, "")
