"""The cases of `cases/*.md`.

A case is a heading `## id: what it shows` and fenced blocks, by the first word after the fence:

- `dockerfile`: the Dockerfile of the context. `BASE` stands for the case's base image, `BUSYBOX` for the
  plain one, `LAYOUT` for the OCI layout of `BASE`; `website.py` has words for what can be fetched.
- `older`: the Dockerfile that Docker gets in its stead, where its frontend doesn't know a flag or an address: the
  same files by other words.
- `context`, `context NAME`: files of the main context, or of a directory that `{NAME}` in a flag stands for.
- `file PATH`: a file of the main context with this block as its text.
- `tar PATH`: an archive in the main context, compressed as the path ends; its members in the block.
- `base`: the config (JSON) of the case's own base image, which otherwise is the plain one.
- `flags`: arguments of both builders, one a line; `{context}` is the main context's directory, which is the
  builders' working directory too.
- `main`: what both get as the main context in place of that directory; a second line is Docker's, where its
  frontend doesn't know the address.
- `stdin`: the path of a file of that directory which both get on standard input.
- `environment`: variables of both builders' environment, one a line.
- `times`: the times in config and history are compared too. The block is empty.
- `rejected`: both builders must refuse. The block holds words of pybuild's message.
- `exceptions`: the entries of `exceptions.md` that the case needs, one a line, as `name` or `name: text`.

A line of `context` or `tar` names one entry, the fields being apart by blanks:

    PATH [MODE] [UID:GID] [xattr:NAME=VALUE] [-> TARGET | => HARD LINK | TEXT]

`PATH/` is a directory; PATH and TEXT may hold Python escapes. Parent directories may be left out (0755).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from attrs import evolve, field, frozen
from tests.differential.exceptions import Needed

HERE = Path(__file__).parent
_BLOCK = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SINGLE = ("base", "flags", "rejected", "older", "exceptions", "main", "stdin", "environment", "times")
_FIELDS = re.compile(r"([0-7]{4})(?=\s|$)|(\d+:\d+)(?=\s|$)|xattr:(\S+?)=(\S*)|(->|=>) (\S+)$")


@frozen
class FileEntry:
    """One line of a tree. `kind` is file, directory, symlink or hardlink; `content` a file's bytes."""

    path: bytes
    kind: str
    mode: int
    owner: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[str, bytes], ...] = ()
    target: bytes = b""
    content: bytes = b""


@frozen
class Archive:
    path: str
    entries: tuple[FileEntry, ...]


@frozen
class Case:
    file: str
    name: str
    title: str
    dockerfile: str
    contexts: dict[str, tuple[FileEntry, ...]] = field(factory=dict)
    archives: tuple[Archive, ...] = ()
    base: str | None = None
    flags: tuple[str, ...] = ()
    rejected: tuple[str, ...] | None = None
    older: str | None = None
    main: tuple[str, ...] = ()
    stdin: str | None = None
    environment: tuple[str, ...] = ()
    times: bool = False
    exceptions: tuple[Needed, ...] = ()

    @property
    def digest(self) -> str:
        """Of all that what Docker makes of the case depends on."""
        asked = evolve(self, file="", title="", rejected=None, exceptions=())
        return hashlib.sha256(repr(asked).encode()).hexdigest()[:16]


def read_cases() -> list[Case]:
    cases = []
    for path in sorted((HERE / "cases").glob("*.md")):
        for section in re.split(r"^## ", path.read_text(), flags=re.MULTILINE)[1:]:
            heading, _, body = section.partition("\n")
            name, colon, title = heading.partition(": ")
            if not colon:
                raise ValueError(f"{path.name}: the heading {heading!r} has no id")
            cases.append(_case(path.name, name, title, body))
    return cases


def _case(file: str, name: str, title: str, body: str) -> Case:
    dockerfile = ""
    contexts: dict[str, list[FileEntry]] = {"context": []}
    archives = []
    single: dict[str, str] = {}
    for kind, argument, text in _BLOCK.findall(body):
        if kind == "dockerfile":
            dockerfile = text
        elif kind == "context":
            contexts.setdefault(argument or "context", []).extend(entries(text))
        elif kind == "file":
            contexts["context"].append(FileEntry(argument.encode(), "file", 0o644, content=text.encode()))
        elif kind == "tar":
            archives.append(Archive(argument, tuple(entries(text))))
        elif kind in _SINGLE and kind not in single:
            single[kind] = text
        else:
            raise ValueError(f"{file}: {name}: unknown or second block {kind!r}")
    rejected = single.get("rejected")
    return Case(
        file=file,
        name=name,
        title=title,
        dockerfile=dockerfile,
        contexts={key: tuple(value) for key, value in contexts.items()},
        archives=tuple(archives),
        base=single.get("base"),
        flags=tuple(single.get("flags", "").splitlines()),
        rejected=None if rejected is None else tuple(rejected.splitlines()),
        older=single.get("older"),
        main=tuple(single.get("main", "").splitlines()),
        stdin=single["stdin"].strip() if "stdin" in single else None,
        environment=tuple(single.get("environment", "").splitlines()),
        times="times" in single,
        exceptions=_needed(single.get("exceptions", "")),
    )


def _needed(text: str) -> tuple[Needed, ...]:
    lines: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, colon, given = line.partition(": ")
        lines.setdefault(name, []).extend([given] if colon else [])
    return tuple(Needed(name, tuple(texts)) for name, texts in lines.items())


def entries(text: str) -> Iterator[FileEntry]:
    for line in text.splitlines():
        if line.strip():
            yield _entry(line)


def _entry(line: str) -> FileEntry:
    name, _, rest = line.partition(" ")
    path = _unescape(name)
    kind = "directory" if path.endswith(b"/") else "file"
    mode = 0o755 if kind == "directory" else 0o644
    owner, xattrs, target = (0, 0), [], b""
    rest = rest.strip()
    while found := _FIELDS.match(rest):
        octal, ids, xattr, value, arrow, link = found.groups()
        if octal:
            mode = int(octal, 8)
        elif ids:
            uid, _, gid = ids.partition(":")
            owner = (int(uid), int(gid))
        elif xattr:
            xattrs.append((xattr, _unescape(value)))
        else:
            kind, target = ("symlink" if arrow == "->" else "hardlink"), _unescape(link)
            mode = 0o777 if kind == "symlink" else mode
        rest = rest[found.end() :].strip()
    if rest and kind != "file":
        raise ValueError(f"a {kind} holds no text: {line}")
    return FileEntry(path.rstrip(b"/"), kind, mode, owner, tuple(xattrs), target, _unescape(rest))


def _unescape(text: str) -> bytes:
    """The text with `\\n`, `\\x20` and the like replaced; other characters as UTF-8."""
    return re.sub(
        rb"\\(?:x[0-9a-fA-F]{2}|[nrt0\\])",
        lambda match: match[0].decode().encode().decode("unicode_escape").encode("latin-1"),
        text.encode(),
    )
