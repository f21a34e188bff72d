"""Build modules in Python, built by `python -m pybuild` as a user does."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping
from textwrap import dedent
from typing import Any

from tests.e2e.building import Outcome
from tests.language.project import SECONDS, Image, Project

HEADER = "# syntax=python:1\nimport pybuild as pb\n"


class Module:
    """A project whose build file is `build.py`. `BASE` in its text is the busybox image, as a state."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def write(self, text: str, files: Mapping[str, str] | None = None, name: str = "build.py") -> None:
        base = f'pb.oci("{self.project.base}")'
        self.project.put({**(files or {}), name: HEADER + dedent(text).replace("BASE", base)})

    def build(self, *words: str, code: int | None = 0, **variables: Any) -> Outcome:
        return self.project.build(*words, code=code, **variables)

    def run(self, *words: str, code: int | None = 0, **variables: Any) -> Outcome:
        return self.project.run(words[0], *self.project.allowed, *words[1:], code=code, **variables)

    def image(self, *words: str) -> Image:
        return self.project.image(*words)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """A command that goes on meanwhile; its standard error is read by whoever ends it."""
        return subprocess.Popen(
            self.project.command(*words),
            cwd=self.project.directory,
            env=self.project.variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )


def interrupted(process: subprocess.Popen[bytes], number: signal.Signals) -> tuple[int, str]:
    """The exit code of a command that gets a signal, and what it has said."""
    process.send_signal(number)
    _, said = process.communicate(timeout=SECONDS)
    return process.returncode, said.decode()
