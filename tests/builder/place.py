"""A project that is built in this process, and what a process has that a build could leave behind."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import Any

from attrs import frozen
from tests.e2e.remains import until
from tests.e2e.soundness import faults, leftovers
from tests.language.project import BASE, HEADER

from pybuild.builder import Builder

SLEEPER = """
target slow:
    from BASE
    run echo sleeping; sleep 60

target swept:
    from BASE
"""


@frozen
class Place:
    """A directory with a project, the base image's layout, a store."""

    directory: Path
    base: Path
    store: Path

    @property
    def project(self) -> Path:
        return self.directory / "project"

    def write(self, text: str, **files: str) -> Place:
        """The build file, in which `BASE` is the base image, and files beside it."""
        self.project.mkdir(exist_ok=True)
        text = re.sub(BASE.pattern.decode(), f'oci("{self.base}")', HEADER + text.lstrip("\n"))
        for name, content in {"build.pybuild": text, **files}.items():
            (self.project / name).write_text(content)
        return self

    def builder(self, **options: Any) -> Builder:
        options = {"root": self.store, "allow": f"read={self.base}", **options}
        return Builder(self.project, **options)


def is_clean(store: Path) -> bool:
    """Whether the store is sound, and nothing of a build is left in it. A process that syncs a store after a build,
    once its snapshots are old enough, is given the time to end."""
    return until(lambda: faults(store) == [] and leftovers(store) == [], 10.0, 0.05)


def _children(task: Path) -> int:
    """How many processes a thread has started; none if it has ended meanwhile: they are another one's then."""
    try:
        return len((task / "children").read_text().split())
    except FileNotFoundError:
        return 0


LOOP = b" /dev/loop"
"""Part of the line of a mount that tests of full disks make meanwhile, in other processes."""


@frozen
class Held:
    """What this process holds: threads, descriptors, mounts that it sees, children."""

    threads: int
    descriptors: int
    mounts: int
    children: int

    @classmethod
    def now(cls) -> Held:
        return cls(
            threading.active_count(),
            len(os.listdir("/proc/self/fd")),
            len(
                [line for line in Path("/proc/self/mountinfo").read_bytes().splitlines() if LOOP not in line]
            ),
            sum(map(_children, Path("/proc/self/task").iterdir())),
        )
