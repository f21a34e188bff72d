"""Runs both builders on a case, at the same time, each in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from attrs import evolve, frozen
from differential.bases import Bases
from differential.casebook import Case
from differential.contexts import substituted, write_contexts
from differential.exceptions import Needed
from differential.imagetree import ReadImage, read_images
from differential.website import Website

_SECONDS = 120
_DOCKER_LINE = re.compile(r"^\S*Dockerfile:(\d+)$|(?:on|at) line (\d+)", re.MULTILINE)
_PYBUILD_LINE = re.compile(r"(?:--> | at )\S*Dockerfile:(\d+):", re.MULTILINE)


@frozen
class Outcome:
    """`images` by platform; None is a refusal. `lines` are the places in the Dockerfile that the builder names as the
    fault."""

    images: dict[str, ReadImage] | None
    lines: tuple[int, ...]
    messages: str


@frozen
class Builders:
    """`store` is pybuild's, shared by all cases, as is the web site."""

    bases: Bases
    site: Website
    store: Path
    docker_host: str

    def worded(self, needed: Iterable[Needed]) -> list[Needed]:
        """What a case needs, with the web site's words in its texts replaced."""
        words = self.site.words
        return [evolve(one, texts=tuple(substituted(text, words) for text in one.texts)) for one in needed]

    def run(self, case: Case, directory: Path) -> tuple[Outcome, Outcome]:
        """Docker's outcome and pybuild's."""
        plain = self.bases.reference()
        references = {
            **self.site.words,
            "BUSYBOX": plain,
            "BASE": self.bases.reference(case.base) if case.base else plain,
            "LAYOUT": str(self.bases.layout(case.base)),
        }
        contexts = write_contexts(case, directory, references)
        places = {"{" + name + "}": str(path) for name, path in contexts.items()}
        flags = [substituted(flag, {**references, **places}) for flag in case.flags]
        images = directory / "docker.tar", directory / "pybuild.tar"
        here = contexts["context"]
        mains = [substituted(main, {**references, **places}) for main in case.main] or [str(here)]
        stdin = None if case.stdin is None else here / case.stdin
        docker = ["docker", "buildx", "build", "--network=host", "--progress=plain"]
        if case.older is not None:
            older = directory / "older.Dockerfile"
            older.write_text(substituted(case.older, references))
            docker += ["-f", str(older)]
        ours = [sys.executable, "-P", "-m", "pybuild", "build", "--progress=plain"]
        environment = {**os.environ, **dict(line.split("=", 1) for line in case.environment)}
        of_docker = {"DOCKER_HOST": self.docker_host, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        commands = (
            ([*docker, *flags, "-o", f"type=oci,dest={images[0]}", mains[-1]], of_docker),
            (
                [*ours, *flags, "-o", f"type=oci,dest={images[1]}", mains[0]],
                {"PYBUILD_ROOT": str(self.store)},
            ),
        )
        running = [_start(command, {**environment, **own}, here, stdin) for command, own in commands]
        finished = [_finish(process) for process in running]
        return (
            _outcome(*finished[0], images[0], _DOCKER_LINE),
            _outcome(*finished[1], images[1], _PYBUILD_LINE),
        )


def _start(
    command: Sequence[str], environment: Mapping[str, str], directory: Path, stdin: Path | None
) -> subprocess.Popen[str]:
    with open(stdin or os.devnull, "rb") as given:
        return subprocess.Popen(
            command,
            env=environment,
            cwd=directory,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )


def _finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    with process:
        try:
            messages, _ = process.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            messages, _ = process.communicate()
            messages += f"\nno end after {_SECONDS} s"
    return process.returncode, messages


def _outcome(code: int, messages: str, image: Path, line: re.Pattern[str]) -> Outcome:
    if code == 0:
        return Outcome(read_images(image), (), messages)
    found = [next(group for group in match.groups() if group) for match in line.finditer(messages)]
    return Outcome(None, tuple(int(number) for number in found), messages)
