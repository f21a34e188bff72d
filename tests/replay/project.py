"""A context that is built by `pybuild`, in processes that tell which path they took."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen
from tests.support.warm import program

TELL = """
import atexit, os, sys
def tell():
    with open(os.environ["TELL_MODULES"], "w") as file:
        file.write("\\n".join(sys.modules))
if "TELL_MODULES" in os.environ:
    atexit.register(tell)
if "CHANGED_JUST_NOW" in os.environ:
    import pybuild.replay.replay
    os.utime(os.environ["CHANGED_JUST_NOW"], follow_symlinks=False)
"""
"""A `sitecustomize` that writes the modules of a process to a file when it ends, and changes a file just as
the program begins."""

SETTLE_SECONDS = 0.06
"""A process that begins after this time takes a file that was just written for one at rest."""

DOCKERFILE = """\
FROM scratch AS other
COPY single /one
FROM scratch
ARG MARK=none
LABEL mark=$MARK
COPY tree /tree
COPY wild/*.txt /wild/
COPY deep/er/file /deep
COPY link /linked
COPY --from=other /one /one
"""
SECONDS = 60


@frozen
class Outcome:
    """What a finished process left."""

    code: int
    out: str
    err: str
    modules: frozenset[str] = frozenset()

    @property
    def path(self) -> str:
        """`replay`, `rebuild` or `ordinary`, as a fresh interpreter tells."""
        assert self.modules
        if "pybuild.cli.commands" in self.modules:
            return "ordinary"
        return "rebuild" if "pybuild.cli.rebuild" in self.modules else "replay"


class Project:
    """A context in `place/up/context` and a store. `words` are the words of its build, `variables` what it sees
    of the environment besides places, `package` is the directory that holds the program."""

    def __init__(self, place: Path, store: Path, package: Path, words: Sequence[str] = ()) -> None:
        self.place = place
        self.store = store
        self.context = place / "up" / "context"
        self.home = place / "home"
        self.words = ["-q", "--iidfile=../iid", *words]
        self.variables: dict[str, str] = {}
        self.package = package
        self.cwd = self.context
        (place / "tell").mkdir(parents=True)
        (place / ".git").mkdir()
        (place / "tell" / "sitecustomize.py").write_text(TELL)
        (self.home / ".config" / "pybuild").mkdir(parents=True)
        self.write(
            {
                "Dockerfile": DOCKERFILE,
                "single": "single",
                "tree/a": "a",
                "tree/sub/b": "b",
                "wild/1.txt": "1",
                "wild/other": "other",
                "deep/er/file": "deep",
                "target": "target",
                "target2": "another target",
                "unused": "unused",
            }
        )
        (self.context / "link").symlink_to("target")
        (self.context / "tree" / "sym").symlink_to("a")

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.context / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYBUILD_ROOT": str(self.store),
            "PYTHONPATH": f"{self.place}/tell:{self.package}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TELL_MODULES": str(self.place / "modules"),
            **self.variables,
        }

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "pybuild", "build", *words]

    def run(self, *words: str, fresh: bool = True) -> Outcome:
        """Build with exactly these words."""
        env = self.environment()
        if not fresh:
            return self._outcome(
                program.run(["build", *words], cwd=self.cwd, env=env, timeout=SECONDS, package=self.package)
            )
        done = subprocess.run(
            self.command(*words),
            cwd=self.cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        return self._outcome(done, frozenset((self.place / "modules").read_text().split()))

    def _outcome(
        self, done: subprocess.CompletedProcess[bytes], modules: frozenset[str] = frozenset()
    ) -> Outcome:
        err = done.stderr.decode("utf-8", "replace")
        assert "Traceback" not in err, err
        assert "internal error" not in err, err
        return Outcome(done.returncode, done.stdout.decode(), err, modules)

    def build(self, *, fresh: bool = True) -> Outcome:
        """Build once every file is older than the clock's grain."""
        time.sleep(SETTLE_SECONDS)
        return self.run(*self.words, fresh=fresh)

    def settled(self) -> Outcome:
        """Build twice: the second time nothing has changed, so it must be a replay."""
        first = self.build(fresh=False)
        assert first.code == 0, first.err
        again = self.run(*self.words)
        assert again.path == "replay", again.err
        assert (again.code, again.out) == (0, first.out)
        return again

    def judged(self) -> Outcome:
        """Build after a change, and, if it did not take it, by the ordinary path, which must come to the same."""
        found = self.build()
        if found.path == "ordinary":
            return found
        judge = self.by_ordinary_path()
        assert (found.code, found.out) == (judge.code, judge.out), found.err + judge.err
        if found.code:
            assert found.err == judge.err
        return found

    def recorded(self) -> None:
        """Build, and leave a record."""
        self.forget()
        found = self.build(fresh=False)
        assert found.code == 0, found.err
        assert len(self.records()) == 1

    def by_ordinary_path(self) -> Outcome:
        self.forget()
        return self.run(*self.words, fresh=False)

    def forget(self) -> None:
        """Remove every record of the store."""
        shutil.rmtree(self.store / "invocations", ignore_errors=True)

    def records(self) -> list[Path]:
        try:
            return sorted((self.store / "invocations").iterdir())
        except FileNotFoundError:
            return []

    def blob(self, digest: str) -> Path:
        return self.store / "blobs" / "sha256" / digest.removeprefix("sha256:").strip()

    def json_blob(self, digest: str) -> Any:
        return json.loads(self.blob(digest).read_bytes())

    def files(self, digest: str) -> set[str]:
        """The names in the layers of an image of the store."""
        names: set[str] = set()
        for layer in self.json_blob(digest)["layers"]:
            with tarfile.open(self.blob(layer["digest"])) as archive:
                names.update(archive.getnames())
        return names


def vertices(text: str) -> set[str]:
    """The names of the vertices that plain progress shows as cached."""
    names = dict(re.findall(r"^#(\d+) (\[.*)$", text, re.MULTILINE))
    return {names[number] for number in re.findall(r"^#(\d+) CACHED$", text, re.MULTILINE)}
