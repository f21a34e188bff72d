"""Expressions as Python mean what they do in the language: precedence, quotes, text of values."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.lang.convert.recorded import converted
from tests.lang.textual.evaluate.scenes import Stage

from pybuild.lang.diagnostics import SourceError

WORDS = ("a", "it's", 'say "x"', "{x}", "a\nb", "\\", "#", "é", "")


def _literal(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _maybe_in_parentheses(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda text, twice: f"({text})" if twice else text, texts, st.booleans())


def _expressions(depth: int) -> dict[str, st.SearchStrategy[str]]:
    """Of each type, with and without parentheses; conditions only in parentheses."""
    ints = st.sampled_from(("0", "7", "0xff", "1_000", "0o17"))
    strs = st.sampled_from(WORDS).map(_literal)
    bools = st.sampled_from(("true", "false"))
    if not depth:
        return {"int": ints, "str": strs, "bool": bools}
    inner = {kind: _maybe_in_parentheses(one) for kind, one in _expressions(depth - 1).items()}
    i, s, b = inner["int"], inner["str"], inner["bool"]
    compared = st.sampled_from(("==", "!=", "<", "<=", ">", ">="))
    either = "({} if {} else {})".format
    return {
        "int": st.one_of(
            ints,
            st.builds("{} {} {}".format, i, st.sampled_from(("+", "-", "*", "//", "%")), i),
            st.builds("-({})".format, i),
            st.builds("len({})".format, s),
            st.builds(either, i, b, i),
        ),
        "str": st.one_of(
            strs,
            st.builds("{} + {}".format, s, s),
            st.builds('"<${{{{{}}}}}|${{{{{}}}}}>"'.format, s, st.one_of(i, b)),
            st.builds("str({})".format, st.one_of(i, b)),
            st.builds("({}).replace({}, {})".format, s, s, s),
            st.builds("[{}, {}][{}]".format, s, s, st.sampled_from("01")),
            st.builds(either, s, b, s),
        ),
        "bool": st.one_of(
            bools,
            st.builds("{} {} {}".format, i, compared, i),
            st.builds("{} in {}".format, s, s),
            st.builds("{} not in [{}]".format, s, s),
            st.builds("{} {} {}".format, b, st.sampled_from(("and", "or")), b),
            st.builds("not ({})".format, b),
            st.builds(either, b, b, b),
        ),
    }


@given(st.one_of(*_expressions(3).values()))
@settings(max_examples=60, deadline=None)
def test_python_evaluates_it_alike(text: str) -> None:
    try:
        wanted = Stage().value(text)
    except SourceError:
        assume(False)
    module: dict[str, object] = {}
    made = converted(f"# syntax=pybuild:1\n\nlet made = {text}\n")
    exec(made, module)
    assert (type(module["made"]) is bool, module["made"]) == (type(wanted) is bool, wanted), made
