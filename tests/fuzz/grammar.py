"""Valid Dockerfiles from a grammar, kept apart from how they are written.

A file is a list of instructions, an instruction a list of parts. Where a part holds an escape or a line break it
is left open, so that one file can be written with either escape character and either end of line.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

ESCAPE = "\x01"
"""Stands for the escape character."""
BREAK = f" {ESCAPE}\n"
"""A continuation."""

Text = st.SearchStrategy[str]


@dataclass(frozen=True)
class Instruction:
    """`parts` are the name and what stands behind it, to be joined by spaces or continuations; `bodies` are
    heredocs, each up to its terminator; `stage` says that it is a FROM."""

    parts: tuple[str, ...]
    bodies: tuple[str, ...] = ()
    stage: bool = False


@dataclass(frozen=True)
class File:
    """Instructions with the gap before each of their parts and the comments or empty lines above them."""

    instructions: tuple[tuple[Instruction, tuple[str, ...], str], ...]

    def written(self, *, escape: str = "\\", eol: str = "\n", directive: bool = True) -> str:
        """The file; with `directive` its first line names the escape character."""
        out = [f"# escape={escape}\n"] if directive else []
        for instruction, gaps, above in self.instructions:
            head, *rest = instruction.parts
            out += [above, head, *(gap + part for gap, part in zip(gaps, rest, strict=True)), "\n"]
            out += instruction.bodies
        return "".join(out).replace(ESCAPE, escape).replace("\n", eol)

    @property
    def starts(self) -> list[str]:
        """The name of each instruction, in order."""
        return [instruction.parts[0] for instruction, _, _ in self.instructions]


_PLAIN = st.text("abcxyzABC019_./:é", min_size=1, max_size=8).filter(
    lambda word: not word.startswith(("-", "/."))
)
_NAME = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,6}", fullmatch=True)
_PATH = st.builds("/{}".format, st.text("abc.", min_size=1, max_size=5).filter(lambda text: text.strip(".")))
_VARIABLE = st.sampled_from(
    [
        "$x",
        "${x}",
        "${x:-y}",
        "${x-y}",
        "${x:+y}",
        "${x+y}",
        "${x:-${z:-1}}",
        "${x#a*}",
        "${x##?}",
        "${x%b}",
        "${x%%*}",
    ]
)
_QUOTED = st.one_of(
    st.text("ab c$#=", max_size=6).map(lambda text: f"'{text}'"),
    st.lists(st.sampled_from(["a", " ", "é", f'{ESCAPE}"', f"{ESCAPE}$", "$x", "${x:-y}"]), max_size=5).map(
        lambda pieces: f'"{"".join(pieces)}"'
    ),
)
_VALUE = st.lists(st.one_of(_PLAIN, _VARIABLE, _QUOTED, st.just(f"{ESCAPE} z")), min_size=1, max_size=3).map(
    "".join
)
_WORD = st.one_of(_PLAIN, _VARIABLE)
_SHELL = st.sampled_from(
    [
        "echo",
        "a",
        "b",
        "'c  d'",
        '"e $f"',
        "|",
        "&&",
        ";",
        "$(x)",
        "${y:-z}",
        "[ -f g ]",
        ">/h",
        "k=v",
        "l#",
        "é",
    ]
)
_STRINGS = st.lists(st.text("ab \"'\\$é", max_size=5), min_size=1, max_size=3)


def _json(strings: Sequence[str]) -> str:
    """An array whose backslashes are JSON's own, on which the escape character has no say."""
    return json.dumps(list(strings), ensure_ascii=True)


def _of(name: str, *parts: Text | st.SearchStrategy[Sequence[str]]) -> st.SearchStrategy[Instruction]:
    """The instruction in some case with its parts, each a text or several."""

    def joined(cased: str, *found: str | Sequence[str]) -> Instruction:
        words: list[str] = [cased]
        for part in found:
            words += [part] if isinstance(part, str) else part
        return Instruction(tuple(words), stage=name == "FROM")

    cased = st.sampled_from([name, name, name.lower(), name.title()])
    return st.builds(joined, cased, *parts)


def _some(part: Text, least: int = 1, most: int = 3) -> st.SearchStrategy[list[str]]:
    return st.lists(part, min_size=least, max_size=most)


def _flags(*choices: Text) -> st.SearchStrategy[list[str]]:
    """Each of the flags, or not, in any order."""
    return st.tuples(*(st.none() | choice for choice in choices)).flatmap(
        lambda found: st.permutations([flag for flag in found if flag is not None])
    )


def _flag(name: str, value: Text) -> Text:
    return st.builds(f"--{name}={{}}".format, value)


_TIME = st.sampled_from(["1s", "1m30s", "1.5h", "500ms", "0"])
_MOUNT = st.sampled_from(
    [
        "type=cache,target=/c",
        "type=cache,target=/c,id=x,sharing=locked,mode=0755,uid=1,gid=2",
        "type=bind,target=/b,rw",
        "type=tmpfs,target=/t,size=1m",
        "type=secret,id=s,env=S",
        "type=ssh",
    ]
)
_OWNER = st.sampled_from(["1", "1:2"])
_COPY_FLAGS = (
    _flag("chown", _OWNER),
    _flag("chmod", st.sampled_from(["644", "0755"])),
    st.sampled_from(["--link", "--link=false"]),
    _flag("exclude", st.sampled_from(["*.a", "**/b", "!c"])),
)
_COMMAND = st.one_of(_some(_SHELL, most=5).map(tuple), _STRINGS.map(lambda strings: (_json(strings),)))
_PORT = st.builds("{}{}".format, st.integers(0, 65535), st.sampled_from(["", "/tcp", "/udp"]))
_FILES = st.one_of(_some(_PATH, 2, 4), _some(_PATH, 2, 4).map(lambda paths: [_json(paths)]))
_PAIR = st.builds("{}={}".format, _NAME, _VALUE)


def _heredoc(kind: str) -> st.SearchStrategy[Instruction]:
    """An instruction that opens one or two heredocs."""
    line = st.text("ab $\"'\\#<`\t", max_size=8).map(lambda text: text.rstrip("\t"))
    one = st.tuples(st.sampled_from("EF"), st.booleans(), st.booleans(), st.lists(line, max_size=3))

    def made(found: list[tuple[str, bool, bool, list[str]]]) -> Instruction:
        openers, bodies = [], []
        for number, (letter, chomp, quoted, lines) in enumerate(found):
            name = f"{letter}{number}"
            # What is expanded holds no quotes or references that don't end.
            lines = lines if quoted or kind == "RUN" else [line.translate(_HARMLESS) for line in lines]
            openers.append(f"<<{'-' if chomp else ''}{repr(name) if quoted else name}")
            bodies.append("".join(f"{line}\n" for line in lines) + ("\t" if chomp else "") + f"{name}\n")
        parts = ("cat", *openers) if kind == "RUN" else (*openers, "/d/")
        return Instruction((kind, *parts), tuple(bodies))

    return st.lists(one, min_size=1, max_size=2).map(made)


_HARMLESS = dict.fromkeys(map(ord, "$\\`\"'"), "x")

COMMANDS: dict[str, st.SearchStrategy[Instruction]] = {
    "ADD": _of("ADD", _flags(*_COPY_FLAGS[:3], st.just("--unpack=true")), _FILES),
    "ARG": _of("ARG", _some(st.one_of(_NAME, _PAIR))),
    "CMD": _of("CMD", _COMMAND),
    "COPY": _of("COPY", _flags(*_COPY_FLAGS, _flag("from", st.just("base"))), _FILES),
    "COPY <<": _heredoc("COPY"),
    "ENTRYPOINT": _of("ENTRYPOINT", _COMMAND),
    "ENV": st.one_of(_of("ENV", _some(_PAIR)), _of("ENV", _NAME, _VALUE)),
    "EXPOSE": _of("EXPOSE", _some(_PORT)),
    "HEALTHCHECK": st.one_of(
        _of("HEALTHCHECK", st.just("NONE")),
        _of(
            "HEALTHCHECK",
            _flags(_flag("interval", _TIME), _flag("timeout", _TIME), _flag("retries", st.just("3"))),
            st.just("CMD"),
            _COMMAND,
        ),
    ),
    "LABEL": _of(
        "LABEL",
        _some(
            st.builds("{}={}".format, st.one_of(_NAME, _QUOTED.filter(lambda key: "=" not in key)), _VALUE)
        ),
    ),
    "MAINTAINER": _of("MAINTAINER", _PLAIN),
    "ONBUILD": _of("ONBUILD", st.sampled_from(["RUN", "run", "CMD"]), _some(_SHELL)),
    "RUN": _of(
        "RUN",
        _flags(
            _flag("network", st.sampled_from(["none", "default"])),
            _flag("mount", _MOUNT),
            _flag("mount", _MOUNT),
        ),
        _COMMAND,
    ),
    "RUN <<": _heredoc("RUN"),
    "SHELL": _of("SHELL", _STRINGS.map(_json)),
    "STOPSIGNAL": _of("STOPSIGNAL", st.sampled_from(["SIGTERM", "9", "KILL"])),
    "USER": _of("USER", st.sampled_from(["a", "1:2"])),
    "VOLUME": st.one_of(_of("VOLUME", _some(_PATH)), _of("VOLUME", _some(_PATH).map(_json))),
    "WORKDIR": _of("WORKDIR", _PATH),
}
_FROM = _of(
    "FROM",
    _flags(_flag("platform", st.sampled_from(["linux/amd64", "linux/arm64"]))),
    st.sampled_from(["base", "scratch", "base:latest", "${no:-base}"]),
    st.sampled_from([(), ("AS", "one"), ("as", "two.2"), ("As", "Three")]),
)
_META = _of("ARG", _some(_PAIR, most=2))

_GAP = st.sampled_from(
    [" ", " ", " ", "  ", "\t", BREAK, f"{BREAK}    ", f"{BREAK}# c\n  ", f" {ESCAPE} \t\n\n\t"]
)
_ABOVE = st.sampled_from(["", "", "", "\n", "# note\n", "\n\n# x is\n", "  # y\n"])


@st.composite
def files(draw: st.DrawFn) -> File:
    """A file that parses and, with a world that has `base`, can be lowered."""
    draws: list[st.SearchStrategy[Instruction]] = [_META] * draw(st.integers(0, 1))
    for _ in range(draw(st.integers(1, 2))):
        draws += [_FROM, *draw(st.lists(st.sampled_from(list(COMMANDS.values())), max_size=5))]
    out = []
    for strategy in draws:
        instruction = draw(strategy)
        gaps = tuple(draw(_GAP) for _ in instruction.parts[1:])
        out.append((instruction, gaps, draw(_ABOVE)))
    return File(tuple(out))
