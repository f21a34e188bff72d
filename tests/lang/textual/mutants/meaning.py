"""Mistakes in what a program says: names, types, arguments, statements, states."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lang.textual.mutants.kinds import Change, kind, misspelt
from tests.lang.textual.mutants.pieces import Piece, Program, Row

_MAPS = ("env", "label", "annotation")
_TARGETS = ("target", "test")


def _named(program: Program) -> Iterator[tuple[Piece, int]]:
    """Names of arguments, with the offset at which their values end."""
    for row in program.rows:
        pieces = row.pieces
        for at, piece in enumerate(pieces[:-1]):
            if piece.kind != "name" or pieces[at + 1].text != "=" or row.head == "let":
                continue
            if piece.depth == 0 and (row.head in _MAPS or pieces[at - 1].text != ","):
                continue
            end = at + 2
            while end + 1 < len(pieces) and (
                pieces[end + 1].depth > piece.depth or pieces[end + 1].text not in (",", ")", "]", ":")
            ):
                end += 1
            yield piece, pieces[end].end


def _names(program: Program) -> Iterator[Piece]:
    """Names that mean a value, a target, a function or a module: no members, no arguments, no types."""
    for row in program.rows:
        for at, piece in enumerate(row.pieces):
            if piece.kind != "name" or (
                at == 1 and row.head in ("param", "let", "group", "def", *_TARGETS, "use")
            ):
                continue
            before = row.pieces[at - 1].text if at else ""
            after = row.pieces[at + 1].text if at + 1 < len(row.pieces) else ""
            if before not in (".", "as", "for") and after != "=" and row.head not in ("param", "def"):
                yield piece


def _strings(program: Program, *heads: str) -> Iterator[Piece]:
    for piece in program.pieces:
        if piece.kind == "string" and (not heads or piece.head in heads):
            yield piece


def _calls(program: Program) -> Iterator[tuple[Piece, int]]:
    """Opening brackets of calls, each with the offset of the closing one."""
    for row in program.rows:
        for at, piece in enumerate(row.pieces):
            if piece.text == "(" and at and row.pieces[at - 1].kind == "name" and row.head != "def":
                depth = piece.depth
                end = next(one for one in row.pieces[at + 1 :] if one.text == ")" and one.depth == depth)
                yield piece, end.start


def _line(program: Program, row: Row) -> tuple[int, int]:
    """From the start of a logical line to that of the next."""
    rows = [row, *program.body(row)]
    last = max(one.last for one in rows)
    return program.start(row.first), program.start(last) + len(program.lines[last - 1]) + 1


# Names


@kind("misspelt name", sure=False)
def misspelt_name(program: Program) -> Iterator[Change]:
    for piece in _names(program):
        yield Change(piece.start, piece.end, misspelt(piece.text))


@kind("unknown name")
def unknown_name(program: Program) -> Iterator[Change]:
    for piece in _names(program):
        yield Change(piece.start, piece.end, "something_else")


@kind("misspelt declaration", sure=False)
def misspelt_declaration(program: Program) -> Iterator[Change]:
    for name, row in program.declared().items():
        piece = row.pieces[1]
        yield Change(piece.start, piece.end, misspelt(name), tuple(program.uses(name, but=row)))


@kind("removed declaration")
def removed_declaration(program: Program) -> Iterator[Change]:
    for name, row in program.declared().items():
        start, end = _line(program, row)
        uses = tuple(program.uses(name, but=row))
        if uses:
            yield Change(start, end, "", uses)


@kind("removed `use`")
def removed_use(program: Program) -> Iterator[Change]:
    for row in program.rows:
        if row.head == "use":
            start, end = _line(program, row)
            words = [piece.text for piece in row.pieces]
            name = words[words.index("as") + 1] if "as" in words else words[1]
            yield Change(start, end, "", tuple(program.uses(name, but=row)))


@kind("second declaration")
def second_declaration(program: Program) -> Iterator[Change]:
    for name, row in program.declared().items():
        start, end = _line(program, row)
        uses = tuple(program.uses(name, but=row))
        yield Change(
            end, end, program.text[start:end] if row.head in ("param", "let") else f'let {name} = ""\n', uses
        )


@kind("bound again in a body")
def bound_again(program: Program) -> Iterator[Change]:
    names = [name for name, row in program.declared().items() if row.head in ("param", "let")]
    for row in program.rows:
        if names and row.indent and row.head in ("run", "copy", "workdir"):
            start = program.start(row.first)
            yield Change(start, start, f'{" " * row.indent}let {names[row.first % len(names)]} = "x"\n')


@kind("unknown member")
def unknown_member(program: Program) -> Iterator[Change]:
    for row in program.rows:
        for before, piece in zip(row.pieces, row.pieces[1:], strict=False):
            if before.text == "." and piece.kind == "name":
                yield Change(piece.start, piece.end, misspelt(piece.text))


@kind("private name")
def private_name(program: Program) -> Iterator[Change]:
    for row in program.rows:
        for before, piece in zip(row.pieces, row.pieces[1:], strict=False):
            if before.text == "." and piece.kind == "name":
                yield Change(piece.start, piece.start, "_")


@kind("unknown module")
def unknown_module(program: Program) -> Iterator[Change]:
    for row in program.rows:
        if row.head == "use":
            piece = row.pieces[1]
            at = 3 if piece.kind == "string" else 1
            yield Change(piece.start, piece.end, piece.text[:at] + "x" + piece.text[at:])


# Types


@kind("number for a string", sure=False)
def number_for_string(program: Program) -> Iterator[Change]:
    for piece in _strings(program):
        yield Change(piece.start, piece.end, "42")


@kind("boolean for a string", sure=False)
def boolean_for_string(program: Program) -> Iterator[Change]:
    for piece in _strings(program):
        yield Change(piece.start, piece.end, "true")


@kind("string for a number", sure=False)
def string_for_number(program: Program) -> Iterator[Change]:
    for piece in program.pieces:
        if piece.kind == "number":
            yield Change(piece.start, piece.end, f'"{piece.text}"')


@kind("list for a string", sure=False)
def list_for_string(program: Program) -> Iterator[Change]:
    for piece in _strings(program):
        yield Change(piece.start, piece.end, f"[{piece.text}]")


@kind("string for a list", sure=False)
def string_for_list(program: Program) -> Iterator[Change]:
    for row in program.rows:
        for at, piece in enumerate(row.pieces):
            if piece.text == "[" and row.pieces[at - 1].kind != "name":
                end = next(
                    one for one in row.pieces[at + 1 :] if one.text == "]" and one.depth == piece.depth
                )
                yield Change(piece.start, end.end, '"a b"')


@kind("wrong type", sure=False)
def wrong_type(program: Program) -> Iterator[Change]:
    for piece in program.pieces:
        if piece.head in ("param", "def") and piece.text in (
            "str",
            "int",
            "bool",
            "state",
            "ref",
            "duration",
        ):
            yield Change(piece.start, piece.end, "int" if piece.text == "str" else "str")
            yield Change(piece.start, piece.end, misspelt(piece.text))


@kind("number with a point", sure=False)
def number_with_a_point(program: Program) -> Iterator[Change]:
    for piece in program.pieces:
        if piece.kind in ("number", "string"):
            yield Change(piece.start, piece.end, "3.10")


@kind("bad unit")
def bad_unit(program: Program) -> Iterator[Change]:
    for piece in program.pieces:
        if piece.kind == "number":
            yield Change(piece.end, piece.end, "x" if piece.text.isdigit() else "ec")


@kind("condition that is no boolean")
def no_boolean(program: Program) -> Iterator[Change]:
    for row in program.rows:
        if row.head in ("if", "elif", "check"):
            yield Change(
                row.pieces[1].start,
                row.pieces[-1].start if row.head != "check" else row.pieces[-1].end,
                '"x"',
            )


# Arguments


@kind("misspelt option")
def misspelt_option(program: Program) -> Iterator[Change]:
    for piece, _ in _named(program):
        if piece.text not in ("DEBIAN_FRONTEND",):
            yield Change(piece.start, piece.end, misspelt(piece.text))


@kind("option given twice")
def option_twice(program: Program) -> Iterator[Change]:
    for piece, end in _named(program):
        yield Change(end, end, f", {program.text[piece.start : end]}")


@kind("missing arguments", sure=False)
def missing_arguments(program: Program) -> Iterator[Change]:
    for piece, end in _calls(program):
        if end > piece.end:
            yield Change(piece.end, end, "")


@kind("extra argument", sure=False)
def extra_argument(program: Program) -> Iterator[Change]:
    for piece, end in _calls(program):
        yield Change(piece.end, piece.end, '"extra", ' if end > piece.end else '"extra"')


@kind("unknown option")
def unknown_option(program: Program) -> Iterator[Change]:
    for piece, end in _calls(program):
        if program.text[end - 2] != "," and "env(" not in program.text[piece.start - 3 : piece.end]:
            yield Change(end, end, ", bogus=1" if end > piece.end else "bogus=1")
    for row in program.rows:
        if row.head in ("copy", "mkdir", "remove", "from", "output"):
            yield Change(row.pieces[-1].end, row.pieces[-1].end, ", bogus=1")


@kind("positional after named")
def positional_after_named(program: Program) -> Iterator[Change]:
    for piece, end in _named(program):
        if piece.depth and piece.head not in ("from", "needs") and "[" not in program.text[piece.start - 1]:
            yield Change(end, end, ', "x"')


@kind("uncalled function", sure=False)
def uncalled(program: Program) -> Iterator[Change]:
    for piece, end in _calls(program):
        yield Change(piece.start, end + 1, "")


# Statements


@kind("removed `from`")
def removed_from(program: Program) -> Iterator[Change]:
    for row in program.rows:
        if row.head == "from" and row.indent:
            yield Change(*_line(program, row), "")


@kind("second `from`")
def second_from(program: Program) -> Iterator[Change]:
    for row in program.rows:
        if row.head == "from" and row.indent:
            start, end = _line(program, row)
            yield Change(end, end, program.text[start:end])


@kind("`$X` where nothing expands it", sure=False)
def dollar(program: Program) -> Iterator[Change]:
    for piece in _strings(program, "from", "tag", "copy", "with", "use", "output"):
        if not piece.text.startswith(("r", '"""')):
            yield Change(piece.start + 1, piece.start + 1, "${VERSION}")


@kind("renamed axis in a selection")
def renamed_axis(program: Program) -> Iterator[Change]:
    for piece, _ in _named(program):
        if program.text[piece.start - 1] == "[":
            yield Change(piece.start, piece.end, misspelt(piece.text))


@kind("wrong value of an axis")
def wrong_axis_value(program: Program) -> Iterator[Change]:
    for piece, end in _named(program):
        if program.text[piece.start - 1] == "[":
            yield Change(piece.end, end, '="9.9"')


@kind("no selection")
def no_selection(program: Program) -> Iterator[Change]:
    for piece, end in _named(program):
        if program.text[piece.start - 1] == "[" and piece.head == "from":
            yield Change(piece.start - 1, end + 1, "")


@kind("file that isn't there")
def missing_file(program: Program) -> Iterator[Change]:
    for row in program.rows:
        if row.head == "copy" and not any(piece.text == "from" for piece in row.pieces):
            piece = row.pieces[1]
            if "*" not in piece.text and piece.text != '"."':
                yield Change(piece.start, piece.end, f'"{misspelt(piece.text[1:-1])}"')


@kind("target that needs itself")
def cycle(program: Program) -> Iterator[Change]:
    for row in program.rows:
        if row.head in _TARGETS and "for" not in [piece.text for piece in row.pieces]:
            first = program.body(row)[0]
            yield Change(first.pieces[1].start, first.pieces[-1].end, row.pieces[1].text)


@kind("statement of another kind of body")
def misplaced(program: Program) -> Iterator[Change]:
    for row in program.rows:
        if row.head in ("def", *_TARGETS):
            body = program.body(row)[-1]
            start = program.start(body.last) + len(program.lines[body.last - 1])
            yield Change(start, start, "\n    return 1" if row.head in _TARGETS else '\n    tag "x"')
