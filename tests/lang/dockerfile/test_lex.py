import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.lang.dockerfile.words import NESTING_LIMIT, Lex, WordError

ENV = {
    "A": "one",
    "B": "two words",
    "EMPTY": "",
    "PATH_": "/usr/local/bin",
    "X1": "x",
    "Ä": "umlaut",
    "Q": "it's",
}


def expand(text: str, escape: str = "\\", **flags: bool) -> str:
    lex = Lex(escape)
    for name, value in flags.items():
        setattr(lex, name, value)
    return lex.word(text, ENV).result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain text  kept", "plain text  kept"),
        ("$A", "one"),
        ("${A}", "one"),
        ("$A$A", "oneone"),
        ("$A_", ""),
        ("${A}_", "one_"),
        ("$X1", "x"),
        ("$NONE.", "."),
        ("$Ä!", "umlaut!"),
        ("a$", "a$"),
        ("a$ b", "a$ b"),
        ("$.", "$."),
        ("$1a", "a"),
        ("$12b", "b"),
        ("$@$*$#$?$-$$$!$0|", "|"),
        ("${@}${1}|", "|"),
        ("$'x'", "$x"),
        ("'$A'", "$A"),
        ('"$A"', "one"),
        ("\"'$A'\"", "'one'"),
        ("'\"'", '"'),
        ("\\$A", "$A"),
        ("\\a\\\\", "a\\"),
        ("a\\", "a"),
        ('"\\$A \\" \\\\ \\n"', '$A " \\ \\n'),
        ("'a\\'", "a\\"),
        ("$B", "two words"),
        ("$Q", "it's"),
        ("`$A`", "`one`"),
    ],
)
def test_references_and_quotes(text: str, result: str) -> None:
    assert expand(text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${A:-w}", "one"),
        ("${A-w}", "one"),
        ("${EMPTY:-w}", "w"),
        ("${EMPTY-w}", ""),
        ("${NONE:-w}", "w"),
        ("${NONE-w}", "w"),
        ("${NONE:-}", ""),
        ("${A:+w}", "w"),
        ("${A+w}", "w"),
        ("${EMPTY:+w}", ""),
        ("${EMPTY+w}", "w"),
        ("${NONE:+w}", ""),
        ("${NONE+w}", ""),
        ("${A:?w}", "one"),
        ("${EMPTY?w}", ""),
        ("${NONE:-$A}", "one"),
        ("${NONE:-${EMPTY:-${A}!}?}", "one!?"),
        ("${NONE:-a b}", "a b"),
        ("${NONE:-'}'}", "}"),
        ("${NONE:-\\}}", "}"),
        ('${NONE:-"$A}"}', "one}"),
        ("${NONE:-a:-b}", "a:-b"),
        ("${A:-${B:?never}}", "one"),
    ],
)
def test_defaults_and_alternatives(text: str, result: str) -> None:
    assert expand(text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${A#}|${A%}|${A##}|${A%%}|${NONE#}", "one|one|one|one|"),
        ("${PATH_#/}", "usr/local/bin"),
        ("${PATH_#*/}", "usr/local/bin"),
        ("${PATH_##*/}", "bin"),
        ("${PATH_%/*}", "/usr/local"),
        ("${PATH_%%/*}", ""),
        ("${PATH_%/b?n}", "/usr/local"),
        ("${PATH_#local}", "/usr/local/bin"),
        ("${PATH_#\\/usr}", "/local/bin"),
        ("${PATH_:##*/}", "bin"),
        ("${PATH_/usr/opt}", "/opt/local/bin"),
        ("${PATH_/\\//:}", ":usr/local/bin"),
        ("${PATH_//\\//:}", ":usr:local:bin"),
        ("${PATH_//l/$A}", "/usr/oneocaone/bin"),
        ("${PATH_//[ul]/}", "/usr/local/bin"),
        ("${PATH_//o*//}", "/usr/l/"),
        ("${A//?/x}", "xxx"),
        ("${A//*/x}", "x"),
        ("${A//\\*/x}", "one"),
        ("${A///x}", "xoxnxex"),
        ("${A/''/x}", "xone"),
        ("${NONE#a}${NONE/a/b}", ""),
        ("${A//n/'[$0]'}", "o[n]e"),
        ("${A//n/'<$1$$>'}", "o<$>e"),
        ("${A/n/'$0'}", "o$0e"),
        ("${A#$X1}${B##* }", "onewords"),
    ],
)
def test_patterns(text: str, result: str) -> None:
    assert expand(text) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'a", "unexpected end of statement while looking for matching single-quote"),
        ('"a', "unexpected end of statement while looking for matching double-quote"),
        ('"a\\', "unexpected end of statement while looking for matching double-quote"),
        ('"$A', "unexpected end of statement while looking for matching double-quote"),
        ("${A", "syntax error: missing '}'"),
        ("${", "syntax error: missing '}'"),
        ("${A:", "syntax error: missing '}'"),
        ("${A:-x", "syntax error: missing '}'"),
        ("${A:-'x}", "syntax error: missing '}'"),
        ("${A/x", "syntax error: missing '/' in ${}"),
        ("${A/x/", "syntax error: missing '}'"),
        ("${}", "syntax error: bad substitution"),
        ("${:-x}", "syntax error: bad substitution"),
        ("${{A}}", "syntax error: bad substitution"),
        ("${A!x}", "unsupported modifier (!) in substitution"),
        ("${A:zx}", "unsupported modifier (:z) in substitution"),
        ("${A::x}", "unsupported modifier (::) in substitution"),
        ("${A,,}", "unsupported modifier (,) in substitution"),
        ("${#A}", "unsupported modifier (A) in substitution"),
        ("${A:}", "syntax error: missing '}'"),
        ("${NONE:?}", "NONE: is not allowed to be unset"),
        ("${NONE?}", "NONE: is not allowed to be unset"),
        ("${EMPTY:?}", "EMPTY: is not allowed to be empty"),
        ("${NONE:?no $A here}", "NONE: no one here"),
        ("${EMPTY:?say it}!", "EMPTY: say it"),
        ("x${NONE:-${NONE?deep}}y", "NONE: deep"),
        ("${A#\\x}", "invalid pattern (\\x) in substitution: invalid escape '\\x'"),
        ("${A/\\a/b}", "invalid pattern (\\a) in substitution: invalid escape '\\a'"),
        ("${A:-" * (NESTING_LIMIT + 1) + "}" * (NESTING_LIMIT + 1), "substitutions nested more than 50 deep"),
    ],
)
def test_errors(text: str, message: str) -> None:
    with pytest.raises(WordError) as caught:
        expand(text)
    assert str(caught.value) == message


def test_deepest_nesting() -> None:
    assert expand('"${NONE:-' * NESTING_LIMIT + "x" + '}"' * NESTING_LIMIT) == "x"


def test_backtick_as_escape() -> None:
    assert expand("C:\\dir\\`$A", "`") == "C:\\dir\\$A"
    assert expand('"`$A `" \\" x', "`") == '$A " \\ x'
    assert expand("${NONE:-`}}", "`") == "}"
    assert Lex("`").word("${V#\\*}", {"V": "*x"}).result == "x"


def test_raw_quotes() -> None:
    assert expand("'$A' \"$A\" \\'", raw_quotes=True) == "'$A' \"one\" '"


def test_raw_escapes() -> None:
    assert expand('\\$A "\\$A"', raw_escapes=True) == "\\$A \\$A"
    assert expand("${NONE:-\\x}\\x", raw_escapes=True) == "x\\x"


def test_skip_quotes() -> None:
    assert expand('it\'s "$A" \\$A', skip_quotes=True) == 'it\'s "one" $A'


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$NONE ${NONE} $A", "$NONE ${NONE} one"),
        ("${NONE:-'$A'}", "${NONE:-$A}"),
        ("${NONE+$A}", "${NONE+one}"),
        ("${NONE:?x}", "${NONE:?x}"),
        ("${NONE##a*}", "${NONE##a*}"),
        ("${NONE/a/b}", "${NONE/a/b}"),
        ("${NONE//a/b}", "${NONE//a/b}"),
        ("${EMPTY:-w}", "w"),
    ],
)
def test_skip_unset_env(text: str, result: str) -> None:
    assert expand(text, skip_unset_env=True) == result


def test_names_asked_for() -> None:
    found = Lex("\\").word("$A ${B:-$NONE} '$EMPTY' \\$X1 ${OTHER+$A} $1", ENV)
    assert found.matched == {"A", "B"}
    assert found.unmatched == {"NONE", "OTHER", "1"}
    plain = Lex("\\").word("x", ENV)
    assert (plain.matched, plain.unmatched) == (set(), set())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("   ", []),
        ("a b\tc", ["a", "b", "c"]),
        (" a  b ", ["a", "b"]),
        ("'a b' c", ["a b", "c"]),
        ("a'b c'd", ["ab cd"]),
        ("a\\ b", ["a b"]),
        ("$B", ["two", "words"]),
        ("x$B!", ["xtwo", "words!"]),
        ('"$B"', ["two words"]),
        ("'' a \"\"", ["a"]),
        ("$EMPTY", []),
        ("a\u00a0b\u2003c", ["a", "b", "c"]),
        ("a\x1cb", ["a\x1cb"]),
        ("${NONE:-'a b' c}", ["a", "b", "c"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert Lex("\\").words(text, ENV) == words


TEXTS = st.text(
    st.sampled_from("$${}:-+?#%/'\"\\`*ABa1_@ \n") | st.characters(exclude_categories=["Cs"]), max_size=30
)
ENVS = st.dictionaries(st.sampled_from(["A", "B", "a", "1", "@"]), st.text("ab*?\\$'\" {}/\n", max_size=6))


@given(st.text(st.characters(exclude_characters="$'\"\\", exclude_categories=["Cs"])))
def test_text_without_special_characters_is_itself(text: str) -> None:
    lex = Lex("\\")
    lex.raw_quotes = True
    assert lex.word(text, ENV).result == text
    assert "".join(lex.words(text, ENV)) == "".join(
        ch for ch in text if not ch.isspace() or ch in "\x1c\x1d\x1e\x1f"
    )


@given(st.text())
def test_single_quotes_keep_everything(text: str) -> None:
    quoted = "'" + text.replace("'", "'\\''") + "'"
    assert Lex("\\").word(quoted, ENV).result == text
    assert Lex("\\").words(quoted, ENV) == ([text] if text else [])


@given(st.text())
def test_double_quotes_keep_what_is_escaped(text: str) -> None:
    quoted = '"' + "".join("\\" + ch if ch in '"$\\' else ch for ch in text) + '"'
    assert Lex("\\").word(quoted, ENV).result == text


@given(st.text(), st.sampled_from("\\`"))
def test_an_escape_before_every_character(text: str, escape: str) -> None:
    assert Lex(escape).word("".join(escape + ch for ch in text), ENV).result == text


@given(TEXTS, ENVS, st.sampled_from("\\`"), st.lists(st.booleans(), min_size=4, max_size=4))
def test_only_word_errors(text: str, env: dict[str, str], escape: str, flags: list[bool]) -> None:
    lex = Lex(escape)
    lex.raw_quotes, lex.raw_escapes, lex.skip_quotes, lex.skip_unset_env = flags
    try:
        found = lex.word(text, env)
        words = lex.words(text, env)
    except WordError:
        return
    assert found.matched <= env.keys()
    assert found.unmatched.isdisjoint(env)
    assert "".join("".join(words).split()) == "".join(found.result.split())


@given(TEXTS)
def test_without_unset_names_skipping_changes_nothing(text: str) -> None:
    keep = Lex("\\")
    keep.skip_unset_env = True
    env = {"A": "x", "B": ""}
    try:
        found = Lex("\\").word(text, env)
    except WordError:
        return
    if not found.unmatched:
        assert keep.word(text, env).result == found.result
