"""What the fuzzer starts from: the Dockerfiles of all suites, and pieces of them for the smaller targets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^```dockerfile\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LONGEST = 1500

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
    for folder in ("dockerfile_parser", "differential", "lint", "fmt"):
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


def seeds(target: str) -> list[bytes]:
    small = {
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
