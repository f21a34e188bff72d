"""Texts for the formatter: its own cases, every Dockerfile of the other suites, and generated ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from hypothesis import strategies as st

TESTS = Path(__file__).resolve().parents[3]
_BLOCK = re.compile(r"^```(?:dockerfile|Dockerfile)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CASE = re.compile(
    r"^## ([^\n]*)\n```dockerfile\n(.*?)^```\n```formatted\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


def cases() -> list[tuple[str, str, str]]:
    """Title, text, and what the formatter makes of it."""
    paths = sorted((TESTS / "lang/dockerfile/fmt/cases").glob("*.md"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    return [(found[1], found[2], found[3]) for found in _CASE.finditer(text)]


def dockerfiles() -> list[str]:
    """What stands in the Markdown cases of all suites, and the Dockerfiles among their files."""
    return list(dict.fromkeys(_dockerfiles()))


def _dockerfiles() -> Iterator[str]:
    for path in sorted(TESTS.rglob("*.md")):
        yield from _BLOCK.findall(path.read_text(encoding="utf-8"))
    for path in sorted(TESTS.rglob("*ockerfile*")):
        if path.is_file() and path.suffix not in (".md", ".py", ".pyc"):
            yield path.read_bytes().decode("utf-8", "surrogateescape")


_SPACE = st.sampled_from(
    [" ", "  ", "\t", " \t ", " \\\n", "\\\n ", " \\  \n\t", " \\\n# c\n  ", " \\\n\n ", "\\\r\n "]
)
_WORD = st.sampled_from(
    ["a", "b.c", "/d", "$x", "${y:-z w}", "'q r'", '"s  t"', "u\\ v", "--", "--f", "k=v", "[", "]", ",", "é"]
)
_PAIR = st.builds(lambda key, value: f"{key}={value}", st.sampled_from("abc"), _WORD)
_JSON = st.sampled_from(
    ['["a"]', '[ "a" , "b  c" ]', '["a",\\\n"b"]', '["x\\\ny", \\\n "z" ]', "[]", "['a']"]
)


def _words(word: st.SearchStrategy[str], least: int = 1) -> st.SearchStrategy[str]:
    """Words with white space between them, and perhaps behind."""
    part = st.builds(str.__add__, _SPACE, word)
    return st.builds(
        lambda parts, end: "".join(parts) + end,
        st.lists(part, min_size=least, max_size=4),
        st.sampled_from(["", " ", "\t"]),
    )


def _one(names: list[str], rest: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    cased = st.sampled_from([case(name) for name in names for case in (str.lower, str.upper, str.title)])
    return st.builds(
        lambda lead, name, text: f"{lead}{name}{text}", st.sampled_from(["", "  ", "\t"]), cased, rest
    )


_HEREDOC = st.sampled_from(
    [
        "run <<E\n body  \n\n\n\tx\\\nE",
        "RUN   cat <<-'E'   <<F \\\n  && b\n\t a\n\tE\nb\nF",
        'copy  <<"a  b"   /x\n\ttext \na  b',
        "COPY <<E  <<F  /d/\nE\nF",
    ]
)
INSTRUCTION = st.one_of(
    _one(["run", "cmd", "entrypoint"], st.one_of(_words(_WORD), st.builds(str.__add__, _SPACE, _JSON))),
    _one(["copy", "add"], st.one_of(_words(_WORD, 2), st.just(" --chown=a:b   --chmod=600 \\\n x  y"))),
    _one(["env", "label", "arg"], st.one_of(_words(_PAIR), _words(_WORD, 2))),
    _one(["expose", "volume", "user", "workdir", "maintainer", "stopsignal"], _words(_WORD)),
    _one(
        ["healthcheck --retries=2", "healthcheck"],
        st.builds("  cmd{}".format, st.one_of(_words(_WORD), _JSON)),
    ),
    _one(["shell"], st.builds(" {}".format, _JSON)),
    _one(["onbuild"], st.builds(" run{}".format, _words(_WORD))),
    _one(["from"], st.sampled_from(["  scratch  as   b ", " --platform=linux/amd64   b", " b"])),
    _HEREDOC,
    st.sampled_from(["", "  ", "# c  ", "   # d", "#", "# escape=`", "\x0b", "\u2003"]),
)
NOISE = st.one_of(_SPACE, st.sampled_from(["\n", "\\", '"', "'", "#", " # ", "<<E", "\v", "\u00a0", "\r"]))
"""What is put into a file to break it."""

_HEAD = st.sampled_from(
    ["", "\n\n", "# syntax=x  \n", "#escape=`\n", "\n# syntax=y\n", "# check=skip=all \n\n\n"]
)
_END = st.sampled_from(["", "\n", "\n\n\n", " \\\n", "\r\n"])

TEXT = st.builds(
    lambda head, items, eol, end: head + "FROM scratch AS b\n" + eol.join(items) + end,
    _HEAD,
    st.lists(INSTRUCTION, max_size=5),
    st.sampled_from(["\n", "\r\n", "\n\n\n"]),
    _END,
)
"""Dockerfiles with odd spacing; not all of them parse."""
