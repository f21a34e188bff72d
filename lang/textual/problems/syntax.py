"""Messages about the text of a file: E0001, E0002, E0100 to E0113, W0802; E0703 for nesting that is too deep."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Edit, Label, suggest
from pybuild.lang.source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

_QUOTES: Final = {
    "“": '"',
    "”": '"',
    "„": '"',
    "‘": "'",
    "’": "'",
    "`": '"',
    "–": "-",
    "—": "-",
    "\u00a0": " ",
}
_CLOSING: Final = {"“": "”", "„": "“”", "‘": "’", "`": "`", "”": "”", "’": "’"}
"""The closing quote for each opening one in `_QUOTES`."""


def _error(
    code: str,
    title: str,
    span: Span,
    label: str = "",
    *,
    help: str = "",
    edit: Edit | None = None,
    note: str = "",
) -> Diagnostic:
    notes = [(word, text) for word, text in (("help", help), ("note", note)) if text]
    return Diagnostic(
        title, code=code, labels=[Label(span, label)], notes=notes, edits=[edit] if edit else []
    )


# The header


def unknown_frontend(span: Span, reference: str) -> Diagnostic:
    """E0001: a `# syntax=` line that names another frontend in a file that is read as a `.pybuild` file."""
    return _error(
        "E0001",
        f"`{reference}` is not an edition of the language",
        span,
        "this file is read as `pybuild:1`",
        help="write `# syntax=pybuild:1`",
        edit=Edit(span, "pybuild:1"),
    )


def newer_edition(span: Span, reference: str, known: str) -> Diagnostic:
    """E0002: a newer edition than this version reads."""
    return _error(
        "E0002",
        f"this file needs a newer pybuild: it is written for `{reference}`",
        span,
        f"this version reads up to `{known}`",
        help="update pybuild, or write the file for the version you have",
    )


def no_header(span: Span) -> Diagnostic:
    """W0802: no `# syntax=` line."""
    end = "\n" if span.source.line(1) else ""
    return Diagnostic(
        "the file does not say which edition of the language it is written in",
        code="W0802",
        level="warning",
        labels=[Label(span, "read as edition 1")],
        notes=[("help", "start the file with `# syntax=pybuild:1`")],
        edits=[Edit(Span(span.source, 1, 1, 1, 1), f"# syntax=pybuild:1\n{end}")],
    )


# Characters


def bad_character(span: Span, char: str) -> Diagnostic:
    """E0100: a character that isn't allowed here."""
    if char in _QUOTES:
        meant = _QUOTES[char]
        shown = "a plain space" if meant == " " else f"`{meant}`"
        return Diagnostic(
            f"U+{ord(char):04X} is not a sign of the language",
            code="E0100",
            labels=[Label(span, f"looks like {shown}")],
            notes=[("help", f"write {shown}")],
            edits=[Edit(span, meant), *_closed(span, char, meant)],
        )
    shown = f"`{char}`" if char.isprintable() else f"U+{ord(char):04X}"
    helps = {
        ";": "one statement a line, without `;`",
        "!": "write `not`, or `!=` to compare",
        "&": "write `and`",
        "\\": "lines go on inside brackets, without `\\`",
        "/": 'whole numbers are divided with `//`; paths are strings: `"a/b"`',
        "$": "outside strings a name stands alone: `name`",
        "@": 'a string is quoted: `"name@1"`',
    }
    label = "" if char.isprintable() else "this character cannot be in a file"
    if char.isalpha():
        helps[char] = "names are made of the letters A to Z and a to z, digits and `_`; text stands in quotes"
    return _error("E0100", f"{shown} means nothing here", span, label, help=helps.get(char, ""))


def _closed(span: Span, char: str, meant: str) -> list[Edit]:
    """Return the edit for the quote that closes the text opened by `char`, if its line has one."""
    text = span.source.line(span.line)
    closing = _CLOSING.get(char, "")
    at = next((at for at in range(span.end_column - 1, len(text)) if text[at] in closing), None)
    if at is None or meant in text[span.end_column - 1 : at]:
        return []
    return [Edit(Span(span.source, span.line, at + 1, span.line, at + 2), meant)]


def no_such_quotes(span: Span, quotes: str) -> Diagnostic:
    """E0100: quotes that the language doesn't have."""
    return _error(
        "E0100",
        f"`{quotes}` does not open a string",
        span,
        help='a string of several lines stands between `"""`; `r"…"` is one line',
    )


def tabs(span: Span, more: int) -> Diagnostic:
    """E0101: tabs in indentation."""
    rest = f"so are {more} more lines of this file" if more > 1 else "so is one more line of this file"
    return _error(
        "E0101",
        "a tab in the indentation",
        span,
        "lines are indented with spaces",
        help="use 4 spaces for each level",
        note=rest if more else "",
    )


def unfit_dedent(span: Span, indent: int, levels: Sequence[int], near: int, block: Span) -> Diagnostic:
    """E0102: a dedent that fits no block. `levels` are the indentations of the open blocks; `near` is that of the
    block it is counted to, which starts at `block`."""
    spaces = f"{indent} space{'s' if indent > 1 else ''}"
    around = f"{spaces}; the blocks around it have {', '.join(map(str, levels))}"
    return Diagnostic(
        "this line's indentation fits no block",
        code="E0102",
        labels=[Label(span, around), Label(block, "the nearest one starts here", primary=False)],
        notes=[("help", f"indent it with {near} spaces")],
        edits=[Edit(span, " " * near)],
    )


# Strings and numbers


def unterminated_string(span: Span, quote: str) -> Diagnostic:
    """E0103: a string without an end."""
    title = "the string is not closed" if len(quote) > 1 else "the string is not closed on its line"
    more = "" if len(quote) > 1 else '; text of several lines stands between `"""`'
    return _error("E0103", title, span, "starts here", help=f"close it with `{quote}`{more}")


def unclosed_interpolation(span: Span) -> Diagnostic:
    """E0105: an unclosed `${{`."""
    return _error(
        "E0105",
        "`${{` is not closed by `}}` on its line",
        span,
        "opens an expression",
        help="write `${{name}}`, or `$${{` for the three characters themselves",
    )


def bad_escape(span: Span, escape: str) -> Diagnostic:
    """E0107: an unknown escape."""
    if escape.startswith("\\u{"):
        return _error("E0107", f"`{escape}` is no character", span, help=r"write one as `\u{1F600}`")
    known = r"known are `\n` `\t` `\\` `\"` `\'` `\$` `\u{1F600}`"
    if escape == "\\":
        return _error("E0107", "a string does not go on after `\\`", span, note=known)
    return _error(
        "E0107",
        f"`{escape}` is not an escape",
        span,
        help=f'for a backslash write `\\{escape}`, or the whole string as `r"…"`',
        edit=Edit(span, f"\\{escape}"),
        note=known,
    )


def bad_number(span: Span, text: str, units: Sequence[str]) -> Diagnostic:
    """E0108: a malformed number or unit."""
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = text[len(digits) :]
    if "." in text:
        help = f'quote it: `"{text}"`'
        return _error(
            "E0108", "there are no decimal fractions", span, help=help, edit=Edit(span, f'"{text}"')
        )
    if not unit and text[0] == "0" and set(text) <= set("01234567"):
        help = f"write `0o{text.lstrip('0')}` for an octal number"
        edit = Edit(span, f"0o{text.lstrip('0')}")
        return _error("E0108", f"`{text}` starts with a zero", span, help=help, edit=edit)
    if unit and digits.replace("_", "").isdigit():
        near = {"K": "KiB", "M": "MiB", "G": "GiB", "T": "TiB", "k": "KiB", "g": "GiB"}.get(unit)
        near = (
            near or next((one for one in units if one.lower() == unit.lower()), None) or suggest(unit, units)
        )
        if len(unit) <= 8:
            return _error(
                "E0108",
                f"`{unit}` is not a unit",
                span,
                help=f"did you mean `{digits}{near}`?" if near else "",
                note=f"units are `{'` `'.join(units)}`",
                edit=Edit(span, f"{digits}{near}") if near else None,
            )
    return _error(
        "E0108", "this is not a number", span, help=f'quote it: `"{text}"`' if len(text) < 60 else ""
    )


def large_number(span: Span) -> Diagnostic:
    """E0108: a number that is too large."""
    return _error("E0108", "the number is too large", span, "numbers go up to 9223372036854775807")


# Structure


def unexpected(
    span: Span, wanted: str, label: str, *, help: str = "", edit: Edit | None = None
) -> Diagnostic:
    """E0110: an unexpected token. `wanted` completes `expected …`."""
    return _error("E0110", f"expected {wanted}", span, label, help=help, edit=edit)


def unclosed_bracket(span: Span, bracket: str) -> Diagnostic:
    """E0110: an unclosed bracket."""
    closing = {"(": ")", "[": "]", "{": "}"}[bracket]
    return _error("E0110", f"`{bracket}` is never closed", span, f"needs a `{closing}`")


def wrong_bracket(span: Span, bracket: str, opening: Span, opener: str) -> Diagnostic:
    """E0110: a closing bracket that doesn't match the open one."""
    closing = {"(": ")", "[": "]", "{": "}"}[opener]
    return Diagnostic(
        f"`{bracket}` does not close `{opener}`",
        code="E0110",
        labels=[Label(span, f"expected `{closing}`"), Label(opening, "opened here", primary=False)],
    )


def inside_body(span: Span, word: str) -> Diagnostic:
    """E0111: a declaration inside a body."""
    return misplaced(span, word, "inside a body", help="declarations start in the first column")


def unexpected_block(span: Span, above: Span | None = None) -> Diagnostic:
    """E0110: an unexpected indented block. `above` is the first word of the line before."""
    return Diagnostic(
        "this line is indented, but nothing above it opens a block",
        code="E0110",
        labels=[
            Label(span),
            *([Label(above, "this line opens none", primary=False)] if above is not None else []),
        ],
        notes=[("help", "remove the indentation")],
    )


def no_block(span: Span, head: str) -> Diagnostic:
    """E0104: a header without a block."""
    return _error(
        "E0104",
        f"{head} needs an indented block",
        span,
        "nothing follows that is indented deeper than this line",
    )


def body_on_line(span: Span, head: str) -> Diagnostic:
    """E0104: a body on the line of its header."""
    return _error(
        "E0104",
        f"the body of {head} starts on the next line",
        span,
        "found here",
        help="put it below, indented deeper",
    )


def no_script(span: Span) -> Diagnostic:
    """E0104: a `run` without a script."""
    return _error(
        "E0104",
        "`run` needs a script",
        span,
        help="write the command after it, or `run:` and an indented block",
    )


def script_behind_colon(span: Span, script: str) -> Diagnostic:
    """E0104: text after `run:`, such as `run: COMMAND`, `run: |`, or a comment."""
    below = not script.rstrip("|>-+ \t") or script.startswith("#")
    help = "leave nothing behind `run:`" if below else f"write `run {script}`"
    return _error(
        "E0104", "the script of `run:` stands in the lines below it", span, "behind the colon", help=help
    )


def run_flag(span: Span, flag: str) -> Diagnostic:
    """E0110: a flag of Dockerfile's RUN."""
    help = {
        "--mount": 'mounts are options of a block: `with cache("/PATH"):`, `with secret("ID"):`, `with ssh():`',
        "--network": 'write it as a block: `with network("none"):`',
        "--security": "write it as a block: `with insecure():`",
        "--device": 'write it as a block: `with device("NAME"):`',
    }[flag]
    return _error("E0110", f"`run` has no flags, as `{flag}`", span, "taken for a command", help=help)


def misplaced(span: Span, word: str, where: str, *, help: str = "") -> Diagnostic:
    """E0111: a word that isn't allowed here."""
    return _error("E0111", f"`{word}` cannot stand {where}", span, help=help)


def unknown_statement(span: Span, word: str, kind: str, words: Iterable[str], meant: str = "") -> Diagnostic:
    """E0112: an unknown statement or declaration. `kind` is `a statement` or `a declaration`; `meant` is the help
    if no word is similar."""
    near = suggest(word, words)
    return _error(
        "E0112",
        f"`{word}` is not {kind}",
        span,
        help=f"did you mean `{near}`?" if near else meant,
        edit=Edit(span, near) if near else None,
    )


def unknown_assignment(span: Span, name: str, whole: str) -> Diagnostic:
    """E0112: an assignment without `let`."""
    return _error(
        "E0112",
        f"`{name} = …` is not a statement",
        span,
        help=f"write `let {whole}`",
        edit=Edit(span, f"let {name}"),
    )


def missing_colon(span: Span, purpose: str) -> Diagnostic:
    """E0113: a missing `:`. `span` is the empty place where it belongs."""
    return _error(
        "E0113", f"expected `:` {purpose}", span, "belongs here", help="add `:`", edit=Edit(span, ":")
    )


def missing_type(span: Span, name: str, given: bool) -> Diagnostic:
    """E0113: a param or a parameter without `: TYPE`, or, if `given`, without the `:`. `span` is the empty place
    after the name."""
    if given:
        return _error(
            "E0113",
            f"expected `:` between `{name}` and its type",
            span,
            "belongs here",
            help="add `:`",
            edit=Edit(span, ":"),
        )
    return _error(
        "E0113", f"expected `:` and a type for `{name}`", span, "belongs here", help=f"write `{name}: str`"
    )


def unquoted(span: Span, word: str, meant: str) -> Diagnostic:
    """E0110: a text without its quotes in a statement."""
    return _error(
        "E0110",
        f"`{word}` takes text in quotes",
        span,
        help=f"write `{word} {meant}`",
        edit=Edit(span, meant),
    )


def too_deep(span: Span) -> Diagnostic:
    """E0703: an expression that nests too deeply."""
    return _error(
        "E0703", "nested too deeply", span, "more than 200 levels", help="give parts of it names with `let`"
    )


# Bytes


def not_text(span: Span) -> Diagnostic:
    """E0100: bytes that aren't UTF-8."""
    return _error(
        "E0100",
        "the file is not UTF-8 text",
        span,
        "this byte cannot be here",
        help="save it as UTF-8; files in another encoding are not read",
    )


def byte_order_mark(span: Span) -> Diagnostic:
    """E0100: a byte order mark."""
    return _error(
        "E0100", "the file starts with a byte order mark", span, help="save it as UTF-8 without one"
    )


def too_large(name: str, limit: int) -> Diagnostic:
    """E0703: a file that is too large."""
    return Diagnostic(
        f"{name} is larger than {limit // 1024} KiB, the most that a file may have", code="E0703"
    )
