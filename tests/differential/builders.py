"""Runs a builder on a case, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from attrs import evolve, frozen
from tests.differential.bases import Bases
from tests.differential.casebook import Case
from tests.differential.contexts import substituted, write_contexts
from tests.differential.exceptions import Needed
from tests.differential.imagetree import ReadImage, Tree, read_images
from tests.differential.website import Website
from tests.differential.wording import worded, worded_base
from tests.support.warm import program

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
class Prepared:
    """A case's contexts on disk, and what its words stand for there. `mains` are pybuild's main context and Docker's,
    which mostly are the same."""

    references: dict[str, str]
    context: Path
    flags: list[str]
    mains: list[str]
    stdin: bytes
    environment: dict[str, str]


@frozen
class Builders:
    """`store` is pybuild's, shared by all cases, as is the web site."""

    bases: Bases
    site: Website
    store: Path
    docker_host: str

    def base_tree(self) -> Tree:
        """What every base image holds, in words."""
        return worded_base(self.bases.tree)

    def worded(self, needed: Iterable[Needed]) -> list[Needed]:
        """What a case needs, with the web site's words in its texts replaced, except its address."""
        words = {name: value for name, value in self.site.words.items() if name != "WEBSITE"}
        return [evolve(one, texts=tuple(substituted(text, words) for text in one.texts)) for one in needed]

    def docker(self, case: Case, directory: Path) -> Outcome:
        """Docker's outcome; what changes from run to run is given by its words."""
        made = self.prepared(case, directory)
        command = ["docker", "buildx", "build", "--network=host", "--progress=plain"]
        if case.older is not None:
            older = directory / "older.Dockerfile"
            older.write_text(substituted(case.older, made.references))
            command += ["-f", str(older)]
        image = directory / "docker.tar"
        done = _run(
            [*command, *made.flags, "-o", f"type=oci,dest={image}", made.mains[-1]],
            {**made.environment, "DOCKER_HOST": self.docker_host, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
            made,
        )
        return self._outcome(done, image, _DOCKER_LINE, made)

    def pybuild(self, case: Case, directory: Path) -> Outcome:
        """pybuild's outcome, in the same words."""
        made = self.prepared(case, directory)
        image = directory / "pybuild.tar"
        done = program.run(
            ["build", "--progress=plain", *made.flags, "-o", f"type=oci,dest={image}", made.mains[0]],
            cwd=made.context,
            env={**made.environment, "PYBUILD_ROOT": str(self.store)},
            stdin=made.stdin,
            timeout=_SECONDS,
        )
        return self._outcome(done, image, _PYBUILD_LINE, made)

    def prepared(self, case: Case, directory: Path) -> Prepared:
        """The case's contexts, written to a directory."""
        plain = self.bases.reference()
        references = {
            **self.site.words,
            "BUSYBOX": plain,
            "BASE": self.bases.reference(case.base) if case.base else plain,
            "LAYOUT": str(self.bases.layout(case.base)),
        }
        contexts = write_contexts(case, directory, references)
        places = {"{" + name + "}": str(path) for name, path in contexts.items()}
        here = contexts["context"]
        mains = [substituted(main, {**references, **places}) for main in case.main] or [str(here)]
        return Prepared(
            references,
            here,
            [substituted(flag, {**references, **places}) for flag in case.flags],
            mains,
            b"" if case.stdin is None else (here / case.stdin).read_bytes(),
            {**os.environ, **dict(line.split("=", 1) for line in case.environment)},
        )

    def _outcome(
        self, done: subprocess.CompletedProcess[bytes], archive: Path, line: re.Pattern[str], made: Prepared
    ) -> Outcome:
        messages = (done.stdout + done.stderr).decode(errors="replace")
        if done.returncode == 0:
            images = {
                platform: worded(image, made.references, self.bases.tree)
                for platform, image in read_images(archive).items()
            }
            return Outcome(images, (), messages)
        found = [next(group for group in match.groups() if group) for match in line.finditer(messages)]
        return Outcome(None, tuple(int(number) for number in found), messages)


def _run(
    command: list[str], environment: dict[str, str], made: Prepared
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        cwd=made.context,
        env=environment,
        input=made.stdin,
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
