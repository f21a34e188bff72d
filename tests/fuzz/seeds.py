"""What the fuzzer starts from: the Dockerfiles and the programs of all suites, and pieces of them for the smaller
targets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz import foreign

from pybuild.lang.source import Source
from pybuild.lang.textual.parse import parse
from pybuild.lang.textual.plain import to_plain

TESTS = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^```dockerfile\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROGRAM = re.compile(r"^```pybuild\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LONGEST = 1500

_SCRIPTS = (
    "echo \0 x\0 >\0\n",
    "cat <<EOF >/x\na \0\nEOF\necho '\0' \"\0\" $(a \0) `b`\n",
    "if [ \0 = x ]; then case \0 in a) b;; esac; fi # \0\n",
    "a=${x:-\0} b=$((1 + 2)) f() { \0; }\ncat <<-'A' <<B\n\t\0\n\tA\n\0$x\nB\n",
)
_LOCKS = (
    f'version = 1\n[image]\n"a:1" = "sha256:{"a" * 64}"\n[git]\n"https://x/y.git#v1" = "{"b" * 40}"\n',
    f'version = 1\n[http]\n"https://x" = "sha256:{"0" * 64}"\n[module]\n"m@v1" = "{"c" * 40} sha256:{"d" * 64}"\n',
)
_PARAMS = (
    *(
        "true",
        "8080",
        "0o755",
        "-1",
        "30s",
        "250ms",
        "64MiB",
        "a,b,c",
        '["a", "b"]',
        '{"a": [true]}',
        "linux/arm64/v8",
    ),
    *("debian:12@sha256:" + "a" * 64, "1.2.3-rc.1", "../x", '{"a": {}}', "[[", "1_000"),
)
_SELECTIONS = (
    "a",
    "a-b[x=1,y=2]",
    'm.t[x="a,b",platform=linux/arm64]',
    "a[b=c",
    'a["\\"]',
    "[x=1]",
    "a[x=1,]",
)

_IGNORE = (
    "*\n!src\nsrc/*.pyc\n",
    "# c\n **/node_modules \n/a/b/\n!a/b/[c-e]?\n",
    "**/x/**\n!**/keep\na**b\n\\!x\n../y\n",
    "*/tmp\n!a\n**foo\n[^a-c]\\*\n",
)
_PATTERNS = (
    "x*\nxaxbx",
    "*\\*?\naab*c",
    "\\}\\/a\n/a",
    "?*?\na\nb",
    "a[/]b\na/b",
    "[^a-c]*\\]\nx]",
    "*a*b\naab",
)
_WORDS = (
    "${a:-$b}'c d'\"e $E\"\\ f",
    "${a#x*}${a##*x}${a%x*}${a%%*b}",
    "${a/x/y}${a//x/\\/}${a//${b}/z}",
    "${a:?no}${q?$b}${q+${a}}$1$@$$",
    '`$a "`"" \\$a',
)
_MOUNTS = (
    "type=cache,target=/x,id=a,sharing=locked,mode=0755,uid=1,gid=2",
    "type=bind,from=b,source=/s,target=/t,rw",
    'type=secret,id=s,"target=/a,b",required=true,env=E',
    "type=tmpfs,target=/x,size=1.5GiB",
    "type=ssh,id=default,mode=0600",
)
_NAMES = (
    "https://user@github.com/a/b.git#main:sub/dir",
    "git@github.com:a/b.git#v1.0",
    "ssh://git@host:22/a/b.git?tag=v1&checksum=abc&subdir=x",
    "https://example.com/a%20b/c.tgz?x=y#z",
    "docker.io/library/a:tag@sha256:" + "a" * 64,
    "linux/arm64/v8,windows(10.0.17763)/amd64",
    "skip=StageNameCasing,FromAsCasing;error=true",
    "1h2m3.5s",
)
_IMAGES = (
    '{"architecture":"arm64","os":"linux","variant":"v8","created":"2020-01-01T00:00:00Z","config":{"Env":["A=b"],'
    '"Cmd":["sh"],"ExposedPorts":{"80/tcp":{}},"Volumes":{"/v":{}},"Labels":{"a":"b"},"OnBuild":["RUN x"],'
    '"Healthcheck":{"Test":["CMD","x"],"Interval":1},"StopSignal":"TERM","Shell":["sh"]},"rootfs":{"type":"layers",'
    '"diff_ids":["sha256:x"]},"history":[{"created_by":"a","empty_layer":true}]}',
)
_EXTENDED = b"FROM a\nINCLUDE x\nUNSET VOLUME /a\nENV --file=x\nCOPY --optional a b\nCOPY --from=$a a b\n"


def dockerfiles() -> list[bytes]:
    """The short Dockerfiles of the suites' cases and the starts of the large ones, in a fixed order."""
    found: list[str] = []
    for folder in ("lang/dockerfile/parse", "differential", "lang/dockerfile/lint", "lang/dockerfile/fmt"):
        for path in sorted((TESTS / folder / "cases").glob("*.md")):
            found += _BLOCK.findall(path.read_text(encoding="utf-8"))
    found += (
        path.read_text(encoding="utf-8") for path in sorted((TESTS / "corpus/files").glob("*Dockerfile"))
    )
    short = {text[:_LONGEST].encode() for text in found}
    return sorted(short, key=lambda text: (len(text), text))


def _instructions(files: Iterable[bytes]) -> list[bytes]:
    """Instructions without the file around them."""
    found = {part for text in files for part in re.split(rb"\n(?=[A-Z]+ )", text.removeprefix(b"FROM a\n"))}
    return sorted(found, key=lambda text: (len(text), text))


def programs() -> list[bytes]:
    """The short programs of the language in the suites' cases and examples, in a fixed order."""
    found: list[str] = []
    for path in sorted((TESTS / "lang/textual").glob("*/cases/*.md")):
        found += _PROGRAM.findall(path.read_text(encoding="utf-8"))
    found += (
        path.read_text(encoding="utf-8")
        for path in sorted((TESTS / "lang/textual/check/examples").glob("*.pybuild"))
    )
    short = {text[:_LONGEST].encode() for text in found}
    return sorted(short, key=lambda text: (len(text), text))


def _trees() -> list[bytes]:
    """Trees of short programs as plain values."""
    files = [parse(Source("build.pybuild", text.decode())).file for text in programs()[:60]]
    return [repr(to_plain(file)).encode() for file in files]


def seeds(target: str) -> list[bytes]:
    if target in ("language", "check", "expand", "fmt"):
        return programs()
    if target in foreign.SEEDS:
        return foreign.SEEDS[target]()
    if target == "plain":
        return _trees()
    small = {
        "quote": _SCRIPTS,
        "lock": _LOCKS,
        "param": _PARAMS,
        "selection": _SELECTIONS,
        "words": _WORDS,
        "patterns": _PATTERNS,
        "wildcard": _PATTERNS,
        "ignore": _IGNORE,
        "mount": _MOUNTS,
        "names": _NAMES,
        "image": _IMAGES,
    }
    if target in small:
        return [text.encode() for text in small[target]]
    files = dockerfiles()
    return _instructions(files) if "trigger" in target else [*files, _EXTENDED]
