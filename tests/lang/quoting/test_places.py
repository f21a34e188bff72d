"""Where the scanner finds slots (`@@`) to stand, as a table."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lang.quoting.soup import TOKENS

from pybuild.lang.quoting.places import SLOT, Kind, Place, Slot
from pybuild.lang.quoting.scanner import examine, scan

FLAGS = (
    *("glued", "command", "redirected", "lone", "forced", "braces", "evaluated", "operand", "after_name"),
    *("waiting",),
)


def pieces(script: str) -> list[str | Slot]:
    first, *rest = script.split("@@")
    return [first, *(piece for text in rest for piece in (SLOT, text))]


def shown(place: Place) -> str:
    flags = [flag for flag in FLAGS if getattr(place, flag)]
    return " ".join([place.kind.name.lower(), *flags])


@pytest.mark.parametrize(
    ("script", "places"),
    [
        # Words
        ("p @@", ["bare"]),
        ("@@ x", ["bare command"]),
        ("if @@; then @@; fi; @@", ["bare command", "bare command", "bare command"]),
        ("A=b @@ c", ["bare command"]),
        ("A=@@ p", ["bare glued command forced"]),
        ("p a@@ @@b a@@b", ["bare glued", "bare glued", "bare glued"]),
        ("p @@\\\n@@ @@\\\n x", ["bare glued", "bare glued", "bare"]),
        ('p ""@@ @@\'\' @@$(:)', ["bare glued", "bare glued", "bare glued"]),
        ("p >@@ <@@ 2>&1 @@", ["bare lone", "bare lone", "bare"]),
        ("p @@>f @@ >f 2@@>f", ["bare redirected", "bare", "bare glued redirected"]),
        (">f @@", ["bare command"]),
        ("2>f @@", ["bare command"]),
        ("p ~@@ ~/@@ ~a@@ {a,@@}", ["bare glued forced", "bare glued", "bare glued forced", "bare glued braces"]),
        ("p [@@] [a]@@ [ @@ ]", ["bare glued forced", "bare glued", "bare"]),
        ("p $X@@ $1@@ ${X}@@ $#@@", ["bare glued forced after_name"] * 2 + ["bare glued"] * 2),
        ("for x in @@; do @@; done", ["bare", "bare command"]),
        ("for @@ in x; do :; done", ["bare lone"]),
        ("for x do @@; done", ["bare command"]),
        ("f() { @@; }; f () ( @@ ); function f { @@; }", ["bare command"] * 3),
        # Comments
        ("p # @@\n@@", ["comment", "bare command"]),
        ("p a#@@ @@#@@ ''#@@", ["bare glued"] * 4),
        ("p \\\n#@@", ["comment"]),
        ("p;#@@\n(#@@\n)", ["comment", "comment"]),
        ("p $#@@ ${#X}@@ \\#@@", ["bare glued", "bare glued", "bare glued"]),
        # Quotes
        ("p '@@' \"@@\" a'@@'\"@@\"", ["single", "double", "single", "double"]),
        ("p '\\'@@ '\"'@@\"'\"", ["bare glued", "bare glued"]),
        ('p "\\"@@" "\\\\"@@ "$X@@" "$X\\\n@@"', ["double", "bare glued", "double after_name", "double after_name"]),
        ("p \"a$\"@@ $'@@' $\"@@\"", ["bare glued", "ansi", "double"]),
        ("p \\@@ \"\\@@\" '\\@@'", ["escaped", "escaped", "single"]),
        ('p $@@ "$@@" $$@@', ["dollar", "dollar", "bare glued"]),
        ("p `@@ '` @@ \"`'@@`@@\"", ["backtick", "bare", "backtick", "double"]),
        ("p `\\@@ $@@ $X@@ ${@@}`", ["escaped", "dollar", "dollar", "parameter"]),
        # Expansions
        ("p $(p @@ \"@@\" $(p '@@')) @@", ["bare", "double", "single", "bare"]),
        ('p "$(p @@ "@@ $(p @@)") @@"', ["bare", "double", "bare", "double"]),
        ("p $((@@ + (1))) $( (p @@) )", ["arithmetic", "bare"]),
        ("p ${X:-@@} ${X-'@@'\"@@\"} ${X#@@} ${@@}", ["parameter operand"] * 2 + ["parameter"] * 3),
        ('p "${X:-@@}" "${X:+$(p @@)}" @@', ["parameter operand", "bare", "bare"]),
        ("p ${X:-}}@@ ${X#\\}} @@ ${X:-'}'} @@", ["bare glued", "bare", "bare"]),
        ("p \"${X:-'a'}\" @@ \"${X:-\"a\"}\" @@", ["bare", "bare"]),
        ("p <(p @@) >(p @@) @@", ["bare", "bare", "bare"]),
        # Grammar
        ("case @@ in (@@|x) p @@;; @@) p @@;; esac", ["bare lone"] * 2 + ["bare", "bare lone", "bare"]),
        ("case x in x) esac; @@", ["bare command"]),
        ("p $(case x in a) p @@;; esac) @@", ["bare", "bare"]),
        ("p $(case x in esac) @@", ["bare"]),
        ("p case x in a; @@", ["bare command"]),
        ("p $(p case x in a) @@", ["bare"]),
        ("[[ @@ == \"@@\" && ( @@ > 1 ) ]]; @@", ["bare lone forced", "double", "bare lone forced", "bare command"]),
        ("[[ @@ -eq '@@' ]]", ["bare lone forced evaluated", "single evaluated"]),
        ("[[ -v @@", ["bare lone forced evaluated"]),
        ("[[ @@ == x ", ["bare lone forced evaluated"]),
        ("a=(@@ [@@]=1)", ["bare", "subscript glued forced"]),
        ("a[@@]=1", ["subscript glued command forced"]),
        ("a[\"@@\"]=@@", ["double evaluated", "bare glued command forced"]),
        ("a[b[1]+@@]=@@", ["subscript glued command forced", "bare glued command forced"]),
        ("((@@ + 1)); @@", ["arithmetic", "bare command"]),
        ("for ((i = @@; i < 1; i++)); do @@; done", ["arithmetic", "bare command"]),
        # Here-documents
        ("p <<E\n@@ '@@' \"@@\" $(p @@ '@@') # @@\nE\np @@", ["heredoc"] * 3 + ["bare", "single", "heredoc", "bare"]),
        ("p <<'E'\n$(p @@) \\@@\nE\np @@", ["raw_heredoc"] * 2 + ["bare"]),
        ("p <<\\E\n@@\nE\np <<\"E\"\n@@\nE\n", ["raw_heredoc"] * 2),
        ("p <<-E\n\t@@\n\tE\np @@", ["heredoc", "bare"]),
        ("p <<E\n@@\n\tE\np @@", ["heredoc", "heredoc"]),
        ("p <<A <<'B' @@; @@\n@@\nA\n@@\nB\n@@", [
            "bare waiting", "bare command waiting", "heredoc", "raw_heredoc", "bare command"]),
        ("p <<E | @@ # it's\n@@\nE\n@@", ["bare command waiting", "heredoc", "bare command"]),
        ("p <<E \\\n @@\n@@\nE\n@@", ["bare waiting", "heredoc", "bare command"]),
        ("(p <<E)\n@@\nE\n@@", ["heredoc", "bare command"]),
        ("x=$(p <<E\n@@\nE\n) @@", ["heredoc", "bare command"]),
        ("p <<E\n$X@@ \\@@ $@@ `@@` ${X:-@@} $((@@))\nE", [
            "heredoc after_name", "escaped", "dollar", "backtick", "parameter operand", "arithmetic"]),
        ("p <<<@@; p @@", ["bare lone", "bare"]),
        ("p <<''\n@@\n\n@@", ["raw_heredoc", "bare command"]),
        ("p <<@@\n", ["delimiter"]),
        ("p <<E@@ x\n", ["delimiter"]),
    ],
)  # fmt: skip
def test_places(script: str, places: list[str]) -> None:
    assert [shown(place) for place in scan(pieces(script))] == places


@pytest.mark.parametrize(
    "script",
    [
        'p "${X:-it\'s}" @@',
        'p "${X:-"$Y"}" @@',
        "p ${X:-{} @@",
        "p $[1] @@",
        "p @(a|b) @@",
        "p $'\\'' @@",
        "((1 << 2)); @@",
        "((p 'x'); p) @@",
        "p $((p) | (p)) @@",
        "[[ a # b ]] @@",
        "p <<$(x)\n@@",
        "x=$(p <<E)\n@@\nE\n@@",
        'p <<E "\n@@"\nE\n',
        "p <<E $(\n@@)\nE\n",
        "x=$(p <<E\nEOF)\n@@\n)\nE\n@@",
        "p <<EOF\nEO\\\nF\n@@\nEOF\n",
        "p <<E\n$(p\nE\n@@)\n",
        "p ) @@",
        "case x y @@",
        "x; ;; @@",
        "p $\\\n(x) @@",
        "p <\\\n<E @@",
        "p " + "$(" * 200 + "@@",
    ],
)
def test_what_shells_read_differently_is_unknown(script: str) -> None:
    places = scan(pieces(script))
    assert places[-1].kind is Kind.UNKNOWN
    assert places[-1].reason or len(places) > 1


def test_uses_and_assignments() -> None:
    found = examine(
        [
            "X=1 $A \"$B ${C:-$D}\" '$E' \\$F # $G\n",
            SLOT,
            "<<E\n$H\nE\nfor I in x; do read J; export K=1; done",
        ]
    )
    text = found.text
    assert [(use.name, text[use.offset : use.offset + use.length]) for use in found.uses] == [
        *[("A", "$A"), ("B", "$B"), ("C", "${C"), ("D", "$D"), ("H", "$H")]
    ]
    assert found.assigned == {"X", "I", "J", "K"}


@given(st.lists(st.one_of(st.sampled_from([*TOKENS, SLOT]), st.text(max_size=5))))
def test_every_text_can_be_scanned(script: list[str | Slot]) -> None:
    found = examine(script)
    slots = [index for index, char in enumerate(found.text) if char == "\0"]
    assert [place.offset for place in found.places] == slots
    assert len(slots) == sum(piece is SLOT for piece in script)


@pytest.mark.growth
@pytest.mark.parametrize(
    "token", [*dict.fromkeys(TOKENS), "a ", "a\n", "E\n", "<<E\n@@\nE\n", "$(<<E\n", "\\\\", "p <<A\\\n"]
)
def test_time_is_linear(token: str) -> None:
    times = []
    for size in (1 << 15, 1 << 18):
        script = pieces((token * (size // len(token)) + "@@")[:size])
        start = time.process_time()
        scan(script)
        times.append(time.process_time() - start)
    assert times[1] < max(16 * times[0], 0.5)


def test_a_script_of_a_mebibyte() -> None:
    script = pieces(("".join(TOKENS[:36]) + '$(a "b")\np @@ <<E\n@@\nE\n' + "x" * 50) * 4000)
    start = time.process_time()
    scan(script)
    long = pieces("p 'x' \"$X $(y)\" # z\n" * 50_000)
    assert len(scan(long)) == 0
    assert time.process_time() - start < 20


def test_many_slots() -> None:
    script = pieces("p @@ \"@@\" '@@' $(p @@) a@@\n" * 2000)
    start = time.process_time()
    assert len(scan(script)) == 10_000
    assert time.process_time() - start < 20
