"""Bytes changed by chance: single bytes, words of the languages under test, lines, ranges of other inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

LONGEST = 6000

_INSTRUCTIONS = (
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK INCLUDE LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL "
    "UNSET USER VOLUME WORKDIR"
)
_FLAGS = (
    "--platform= --from= --chown= --chmod= --link --parents --exclude= --keep-git-dir --checksum= --unpack=false "
    "--network=none --security=insecure --mount= --mount=type=cache,target= --device= --interval= --timeout= "
    "--start-period= --start-interval= --retries= --optional --file= -- --"
)
_FIELDS = (
    "type=bind type=tmpfs type=secret type=ssh ,from= ,source= ,target= ,dst= ,ro ,rw ,required ,id= ,size= "
    ",sharing=locked ,mode=0755 ,uid= ,gid= ,env="
)
_WORDS = (
    "a b /x ../ /./ scratch base AS NONE CMD linux/amd64 windows sha256: docker.io/ localhost:5000/ 80/tcp 1-2 "
    "SIGTERM 0755 u+rwX 1h2m3s 1.5GiB @ :latest SOURCE_DATE_EPOCH= trigger https:// git@h:p "
    "ssh:// .git#v1:sub ?ref=x&subdir=y &&"
)
_EXPANSIONS = (
    "$ $a ${ } ${a} ${a:-b} ${a-b} ${a:+b} ${a+b} ${a:?b} ${a?b} ${a#x*} ${a##x} ${a%?} ${a%%*} ${a/x/y} ${a//x/y} "
    "${a:- $* $# $0 $1a ${} ${: {} \\$a \\* \\}"
)
_QUOTES = ("'", '"', "`", "\\", "\\\\", "\\'", '\\"', "''", '""', "'a b'", '"a $a"', "\\\n", " \\\n", "`\n")
_HEREDOCS = (
    "<<",
    "<<E",
    "<<-E",
    "<<'E'",
    '<<"E F"',
    "3<<E",
    "<<$a",
    "<<E\\ F",
    "\nE\n",
    "\n\tE\n",
    "E",
    "<<<",
)
_JSON = ("[", "]", '["a"]', '["a","b c"]', '"\\ud800"', '"\\u0000"', ",", "{", "[1]", "1e999", "NaN", "[[")
_DIRECTIVES = "# escape=`\n|# escape=\\\n|# syntax=x\n|# check=skip=all\n|# check=error=true\n|#!x\n"
_WILDCARDS = "* ** **/ /** ? [a-c] [^a] [] [a \\* ! [a- [\\]] / ./ .."
_SPACES = ("\x1c", "\v", "\f", "\r", "\r\n", "\n\n", "\t", "\x85", "\xa0", "\u2003", "\u2028")
_CONTROLS = ("\0", "\x1b[31m", "\x07", "\x7f", "\u202e", "\u200b", "\ufeff", "\ufffd")
_LETTERS = "é 日本 e\u0301 \U0001f600 ² ٣ ß İ"
_NUMBERS = "0 -1 +1 65535 65536 4294967296 9223372036854775808 0x10 1e9"
_LONG = ("9" * 30, "9" * 5000, "0" * 5000)
_BYTES = (b"\xff", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f", b"\xef\xbb\xbf")


def _dictionary() -> Iterator[str]:
    for name in _INSTRUCTIONS.split():
        yield from (f"{name} ", f"\n{name} ")
    for flag in _FLAGS.split():
        yield flag if flag.endswith("=") else f"{flag} "
    for words in (_FIELDS, _WORDS, _EXPANSIONS, _WILDCARDS, _LETTERS, _NUMBERS):
        yield from words.split(" ")
    for tokens in (_QUOTES, _HEREDOCS, _JSON, _DIRECTIVES.split("|"), _SPACES, _CONTROLS, _LONG):
        yield from tokens


_DECLARATIONS = "use param let check ignore group default def target test".split()
_STATEMENTS = (
    "from run exec copy write mkdir remove symlink env workdir user shell label annotation expose volume entrypoint "
    "cmd healthcheck stop_signal tag output needs if elif else for with return"
).split()
_CODE = (
    '${{ }} ${{x}} $${{ """ r" \\u{1F600} \\q f( x[ ] { } ( ) : = == != -> | + // % <= and or not in true false '
    "to on as scratch context this platform vcs.commit platform.os str int list[str] map[str] state option "
    "cache( secret( bind( env( network( image( git( http( merge( diff( glob( read( len( sorted( version( raw( "
    'owner= mode= at= [py="3.12"] [platform=p] 30s 64MiB 0o644 1_000 3.10 "a" "/x/" "$V"'
).split(" ")


def _language() -> Iterator[str]:
    for word in _DECLARATIONS:
        yield f"\n{word} "
    for word in _STATEMENTS:
        yield from (f"\n    {word} ", f"\n        {word} ")
    yield from (
        *_CODE,
        "\n    ",
        "\n  ",
        "\n\t",
        ":\n        ",
        "run:\n",
        "# pybuild: allow W0201\n",
        "# syntax=pybuild:1\n",
    )


DICTIONARY: tuple[bytes, ...] = (*(token.encode() for token in (*_dictionary(), *_language())), *_BYTES)

Mutation = Callable[[Random, bytes, Sequence[bytes]], bytes]


def mutated(random: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    """`data` changed once or a few times; ranges of `corpus` may come in. At most `LONGEST` bytes."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4, 8))):
        data = random.choice(MUTATIONS)(random, data, corpus)
    return data[:LONGEST]


def _range(random: Random, data: bytes) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, min(len(data), start + random.choice((0, 1, 1, 2, 4, 8, 16, 64)))


def _flip(random: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]


def _byte(random: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    at, end = _range(random, data)
    return data[:at] + bytes([random.randrange(256)]) + data[end:]


def _insert(random: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + random.choice(DICTIONARY) + data[at:]


def _replace(random: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    start, end = _range(random, data)
    return data[:start] + random.choice(DICTIONARY) + data[end:]


def _delete(random: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    start, end = _range(random, data)
    return data[:start] + data[end:]


def _copy(random: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    start, end = _range(random, data)
    at = random.randint(0, len(data))
    return data[:at] + data[start:end] + data[at:]


def _repeat(random: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    start, end = _range(random, data)
    return data[:start] + data[start:end] * random.choice((2, 3, 3, 8, 8, 60, 60, 500)) + data[end:]


def _lines(random: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    """A line doubled, dropped, moved, or taken from another input."""
    lines = data.split(b"\n")
    at, to = random.randrange(len(lines)), random.randint(0, len(lines))
    match random.randrange(4):
        case 0:
            lines.insert(to, lines[at])
        case 1:
            del lines[at]
        case 2:
            lines.insert(to, lines.pop(at))
        case _:
            lines.insert(to, random.choice(random.choice(corpus).split(b"\n")))
    return b"\n".join(lines)


def _splice(random: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    other = random.choice(corpus)
    return data[: random.randint(0, len(data))] + other[random.randint(0, len(other)) :]


def _whole(random: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    """Something that concerns the whole text."""
    match random.randrange(6):
        case 0:
            return data.replace(b"\n", b"\r\n")
        case 1:
            return b"\xef\xbb\xbf" + data
        case 2:
            return b"# escape=`\n" + data.replace(b"\\", b"`")
        case 3:
            return data.lower()
        case 4:
            return data.rstrip(b"\n")
        case _:
            return data.replace(b" ", random.choice((b"\t", b"  ", b" \\\n", b"\xc2\xa0")))


MUTATIONS: tuple[Mutation, ...] = (
    *(_flip, _byte, _insert, _insert, _insert, _replace, _replace, _delete, _copy, _repeat),
    *(_lines, _lines, _splice, _whole),
)
