"""One file of the corpus: its text, what it is built with, its graph and what checks find in it.

The first lines that aren't parser directives say where the shape comes from and, if the file can't be built
without them, with which arguments and named contexts:

    # Shape of: github.com/OWNER/REPO (PATH)
    # Build with: --build-arg NAME=VALUE --build-context NAME=SOURCE
"""

from __future__ import annotations

import os
import re
import shlex
from collections import Counter
from functools import cached_property

from tests.corpus.registry import Registry

from pybuild.compiler.lower.dockerfile import LoweredTarget, LowerOptions, lower
from pybuild.compiler.ops import Platform
from pybuild.frontends.dockerfile import Question, Text
from pybuild.lang.dockerfile.instructions import Dockerfile
from pybuild.lang.dockerfile.lint.linter import Linter
from pybuild.lang.dockerfile.parse import decode, parse

ROOM = os.path.join(os.path.dirname(__file__), "files")
SUFFIX = ".Dockerfile"
MACHINE = Platform("amd64", "linux")
PLATFORMS = (MACHINE, Platform("arm64", "linux"))

_ORIGIN = re.compile(r"(?m)^# Shape of: github\.com/([\w.-]+)/([\w.-]+) \((\S+)\)\r?$")
_OPTIONS = re.compile(r"(?m)^# Build with: (.+?)\r?$")


class Sample:
    def __init__(self, name: str) -> None:
        self.name = name
        with open(os.path.join(ROOM, name + SUFFIX), "rb") as file:
            self.data = file.read()
        self.text = self.data.decode()
        self.build_args: dict[str, str] = {}
        self.contexts: dict[str, str] = {}
        given = _OPTIONS.search(self.text)
        words = shlex.split(given[1]) if given else []
        for flag, word in zip(words[::2], words[1::2], strict=True):
            key, _, value = word.partition("=")
            {"--build-arg": self.build_args, "--build-context": self.contexts}[flag][key] = value

    @property
    def origin(self) -> tuple[str, str, str]:
        """Owner, repository and path of the file whose shape this has."""
        found = _ORIGIN.search(self.text)
        assert found, f"{self.name} names no origin"
        return found[1], found[2], found[3]

    @cached_property
    def dockerfile(self) -> Dockerfile:
        return parse(decode(self.name, self.data))

    @property
    def targets(self) -> list[str | None]:
        """Every stage that has a name, and the last one."""
        return [*dict.fromkeys(stage.name for stage in self.dockerfile.stages if stage.name), None]

    def lowered(self, target: str | None, platform: Platform) -> LoweredTarget:
        return lower(self.dockerfile, self._options(target, platform), Registry())

    def findings(self) -> Counter[str]:
        """Rules of the checks, and how often each found something. Raises what a build would end with."""
        source = decode(self.name, self.data)
        question = Question(Text(source, extended=False), self._options(None, MACHINE), Registry(), _no_file)
        found, error = question.check(Linter.of(source, self.build_args))
        if error is not None:
            raise error
        return Counter(finding.rule.name for finding in found)

    def _options(self, target: str | None, platform: Platform) -> LowerOptions:
        return LowerOptions(
            target=target,
            target_platform=platform,
            build_platforms=(MACHINE,),
            build_args=self.build_args,
            contexts=self.contexts,
        )


def names() -> list[str]:
    return sorted(file.removesuffix(SUFFIX) for file in os.listdir(ROOM) if file.endswith(SUFFIX))


def _no_file(path: str) -> bytes:
    raise FileNotFoundError(path)
