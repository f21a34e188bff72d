"""Input that nobody writes by mistake: zero bytes, symlinks in a circle, pipes, what is too long. Each is told
clearly and at its place; `Builder.run` asserts that no traceback and no internal error is shown."""

from __future__ import annotations

import os
import stat

import pytest
from attrs import frozen
from tests.e2e.building import Builder

BUILD, USAGE = 1, 2
EXTENDED = "# syntax=pybuild/dockerfile:1\nFROM base\n"


@frozen
class Hostile:
    """An instruction behind FROM, in line 3, and what the user must read."""

    instruction: str
    code: int
    words: tuple[str, ...]
    flags: tuple[str, ...] = ()


CIRCLE = ("too many levels of symbolic links", "lead in a circle", "Dockerfile:3:")
OVER = ("a directory is mounted over a directory", "Dockerfile:3:1")
ZERO = ("holds a zero byte", "Dockerfile:3:1", "remove the byte")
CASES = {
    "COPY of a circle": Hostile("COPY circle /", BUILD, ("/circle: ", *CIRCLE)),
    "COPY --optional of a circle": Hostile("COPY --optional circle /", BUILD, CIRCLE),
    "COPY --parents through a circle": Hostile("COPY --parents circle/file /", BUILD, ("/circle/file: ", *CIRCLE)),
    "COPY of a directory and a circle": Hostile("COPY directory circle/* /x/", BUILD, CIRCLE),
    "ENV --file of a circle": Hostile("ENV --file=circle", BUILD, CIRCLE),
    "INCLUDE of a circle": Hostile("INCLUDE circle", BUILD, (*CIRCLE, "Dockerfile:3:9")),
    "INCLUDE of a directory": Hostile("INCLUDE directory", USAGE, ("lead to a file", "Dockerfile:3:9")),
    "bind of a circle": Hostile("RUN --mount=type=bind,source=circle,target=/m true", BUILD, CIRCLE),
    "bind through a file": Hostile(
        "RUN --mount=type=bind,source=text/file,target=/m true",
        BUILD,
        ("/text/file: no such file or directory to mount at /m", "Dockerfile:3:1", "source= is a path"),
    ),
    "bind of a file over a directory": Hostile(
        "RUN --mount=type=bind,source=text,target=/etc true", BUILD, ("mounting at /etc: ", *OVER)
    ),
    "bind of a directory over a file": Hostile(
        "RUN --mount=type=bind,source=directory,target=/etc/passwd true", BUILD, ("mounting at /etc/passwd: ", *OVER)
    ),
    "secret over the root": Hostile(
        "RUN --mount=type=secret,id=s,target=/ true",
        BUILD,
        ("mounting at /: ", *OVER),
        ("--secret=id=s,src={context}/text",),
    ),
    "COPY of a symlink that leads out": Hostile(
        "COPY out /", BUILD, ('"/out": not found', "out is a symlink to /etc/hostname, which is not there")
    ),
    "COPY through a symlink that leads out": Hostile(
        "COPY conf/name /", BUILD, ('"/conf/name": not found', "conf is a symlink to /etc, which is not there")
    ),
    "malformed wildcard": Hostile("COPY te[xt /", BUILD, ("bad wildcard", "are not closed", "Dockerfile:3:1")),
    "name that is too long": Hostile(f"COPY text /{'a' * 300}", BUILD, ("name too long", "255", "Dockerfile:3")),
    "path that is too long": Hostile(f"COPY text /{'a/' * 3000}", BUILD, ("file name too long", "4095")),
    "zero byte in a source": Hostile("COPY te\0xt /", BUILD, ZERO),
    "zero byte in a destination": Hostile("COPY text /te\0xt", BUILD, ZERO),
    "zero byte in a working directory": Hostile("WORKDIR /w\0d", BUILD, ("holds a zero byte", "Dockerfile:3")),
    "zero byte in a mount's target": Hostile("RUN --mount=type=tmpfs,target=/a\0b true", BUILD, ZERO),
    "zero byte in a mount's source": Hostile("RUN --mount=type=bind,source=a\0b,target=/m true", BUILD, ZERO),
    "zero byte in a command": Hostile("RUN echo a\0b", BUILD, ("the command holds a zero byte", "Dockerfile:3:1")),
    "zero byte in INCLUDE": Hostile("INCLUDE a\0b", USAGE, ("is not in the build context", "Dockerfile:3:9")),
    "zero byte in ENV --file": Hostile("ENV --file=zero", USAGE, ("zero:1 sets no variable", "no zero byte")),
    "bytes in a variable": Hostile(
        "RUN --mount=type=secret,id=s,env=S true",
        BUILD,
        ("secret s is not UTF-8 text", "mount it as a file", "Dockerfile:3:1"),
        ("--secret=id=s,src={context}/bytes",),
    ),
    "a directory for a secret": Hostile(
        "RUN --mount=type=secret,id=s cat /run/secrets/s",
        BUILD,
        ("can't be read: is a directory", "give a file", "Dockerfile:3:1"),
        ("--secret=id=s,src={context}",),
    ),
    "a line end in a secret's id": Hostile(
        "RUN --mount=type=secret,id=s true", USAGE, ("failed to stat", "no such file"), ("--secret=id=s\n,src=none",)
    ),
}  # fmt: skip


@pytest.mark.root
@pytest.mark.crun
@pytest.mark.parametrize("name", CASES)
def test_instruction(builder: Builder, name: str) -> None:
    case = CASES[name]
    files: dict[str, str | bytes] = {
        "text": "x",
        "directory/file": "x",
        "zero": "A=a\0b\n",
        "bytes": b"\xff\xfe",
    }
    context = builder.context("context", f"{EXTENDED}{case.instruction}\n", **files)
    for link, target in {"circle": "circle", "out": "/etc/hostname", "conf": "/etc"}.items():
        (context / link).symlink_to(target)
    flags = [flag.format(context=context) for flag in case.flags]
    outcome = builder.build(*flags, context, code=case.code)
    missing = [word for word in case.words if word not in outcome.err]
    assert not missing, f"{missing} not in:\n{outcome.err}"


@pytest.mark.root
@pytest.mark.crun
def test_a_circle_that_nothing_reads(builder: Builder) -> None:
    context = builder.context("context", "FROM base\nCOPY . /x/\nRUN readlink /x/circle\n", text="x")
    (context / "circle").symlink_to("circle")
    assert " circle\n" in builder.build(context).err


@pytest.mark.root
@pytest.mark.crun
def test_a_command_that_is_too_long(builder: Builder) -> None:
    """The kernel refuses it; the message is no longer than can be read."""
    context = builder.context("context", f"FROM base\nRUN : {'x' * 200_000}\n")
    outcome = builder.build(context, code=BUILD)
    error = outcome.err.rpartition("\nerror: ")[2]
    assert "Argument list too long" in error
    assert "a heredoc that begins with #!" in error
    assert len(error) < 10_000


def test_a_pipe_for_a_dockerfile(builder: Builder) -> None:
    """It is not waited for."""
    context = builder.context("context")
    os.mkfifo(context / "Dockerfile")
    outcome = builder.build(context, code=USAGE, timeout=20)
    assert "is not a regular file" in outcome.err
    assert "-f - takes the Dockerfile from standard input" in outcome.err


def test_a_file_for_a_named_context(builder: Builder) -> None:
    context = builder.context("context", "FROM base\n", text="x")
    outcome = builder.build(f"--build-context=n={context / 'text'}", context, code=USAGE)
    assert "text is not a directory" in outcome.err


def test_a_store_is_its_owners(builder: Builder) -> None:
    """What was built, and with what arguments, is no other user's to read."""
    builder.build(builder.context("context", "FROM base\nLABEL a=b\n"))
    assert stat.S_IMODE(builder.store.stat().st_mode) == 0o700


def test_a_named_context_of_no_stage(builder: Builder) -> None:
    outcome = builder.build(
        "--build-context=n=target:", builder.context("context", "FROM base\n"), code=USAGE
    )
    assert "the build context n names no stage" in outcome.err


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"schema": "x", "written_by": ""}', None])
def test_a_store_whose_description_is_damaged(builder: Builder, content: bytes | None) -> None:
    """None is a directory in its place."""
    builder.store.mkdir()
    description = builder.store / "store.json"
    if content is None:
        description.mkdir()
    else:
        description.write_bytes(content)
    outcome = builder.build(builder.context("context", "FROM base\n"), code=BUILD)
    assert "store.json is damaged" in outcome.err
    assert "set PYBUILD_ROOT" in outcome.err


def test_a_store_of_a_later_version(builder: Builder) -> None:
    builder.store.mkdir()
    (builder.store / "store.json").write_text('{"schema": 1000, "written_by": "9.0"}')
    outcome = builder.build(builder.context("context", "FROM base\n"), code=BUILD)
    assert "was written by pybuild 9.0 (schema 1000); this version reads" in outcome.err
