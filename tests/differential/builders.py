"""Runs both builders on a case, at the same time, each in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen
from differential.bases import Bases
from differential.casebook import Case
from differential.contexts import substituted, write_contexts
from differential.imagetree import ReadImage, read_image

_SECONDS = 120
_DOCKER_LINE = re.compile(r"^\S*Dockerfile:(\d+)$|(?:on|at) line (\d+)", re.MULTILINE)
_PYBUILD_LINE = re.compile(r"--> .*Dockerfile:(\d+):", re.MULTILINE)


@frozen
class Outcome:
    """`image` None is a refusal. `lines` are the places in the Dockerfile that the builder names as the fault."""

    image: ReadImage | None
    lines: tuple[int, ...]
    messages: str


@frozen
class Builders:
    """`store` is pybuild's, shared by all cases."""

    bases: Bases
    store: Path
    docker_host: str

    def run(self, case: Case, directory: Path) -> tuple[Outcome, Outcome]:
        """Docker's outcome and pybuild's."""
        plain = self.bases.reference()
        references = {"BUSYBOX": plain, "BASE": self.bases.reference(case.base) if case.base else plain}
        contexts = write_contexts(case, directory, references)
        places = {"{" + name + "}": str(path) for name, path in contexts.items()}
        flags = [substituted(flag, {**references, **places}) for flag in case.flags]
        images = directory / "docker.tar", directory / "pybuild.tar"
        main = str(contexts["context"])
        docker = ["docker", "buildx", "build", "--network=host", "--progress=plain"]
        ours = [sys.executable, "-m", "pybuild", "build", "--progress=plain"]
        environment = {**os.environ, "DOCKER_HOST": self.docker_host, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        running = [
            _start([*docker, *flags, "-o", f"type=oci,dest={images[0]}", main], environment),
            _start(
                [*ours, *flags, "-o", f"type=oci,dest={images[1]}", main],
                {**os.environ, "PYBUILD_ROOT": str(self.store)},
            ),
        ]
        finished = [_finish(process) for process in running]
        return (
            _outcome(*finished[0], images[0], _DOCKER_LINE),
            _outcome(*finished[1], images[1], _PYBUILD_LINE),
        )


def _start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
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
        return Outcome(read_image(image), (), messages)
    found = [next(group for group in match.groups() if group) for match in line.finditer(messages)]
    return Outcome(None, tuple(int(number) for number in found), messages)
