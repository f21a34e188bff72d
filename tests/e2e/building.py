"""Running `pybuild` as a user does: in a process of its own, judged by what it prints and leaves."""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import evolve, field, frozen
from tests.support.warm import program

BASE = "base"
"""The image reference by which tests name the busybox base."""

FIXED_TIME = {"SOURCE_DATE_EPOCH": "1700000000"}
SECONDS = 120.0
_KEPT = ("PATH", "LANG", "TMPDIR", "VIRTUAL_ENV", "SYSTEMD_IGNORE_CHROOT")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@frozen
class Outcome:
    """What a finished process left: its exit code and all it printed."""

    code: int
    out: str
    err: str

    @property
    def digest(self) -> str:
        """The image's digest, from the summary or from standard output."""
        found = _DIGEST.search(self.out) or _DIGEST.search(self.err.rpartition("\nimage ")[2])
        assert found is not None, self.err
        return found[0]


@frozen
class Builder:
    """A store, a home and a base image. `uid` None is the user who runs the tests."""

    place: Path
    """A directory of the builder's own: `store`, `home` and the contexts that `context` makes."""

    base: Path
    uid: int | None = None
    root: Path | None = None
    """The store, if it is not `place/store`."""

    environment: Mapping[str, str] = field(factory=dict)
    wrapper: tuple[str, ...] = ()
    """What the process is started through: `("taskset", "1")`."""

    @property
    def store(self) -> Path:
        return self.root or self.place / "store"

    def with_store(self, root: Path) -> Builder:
        return evolve(self, root=root)

    def in_environment(self, **variables: str) -> Builder:
        return evolve(self, environment={**self.environment, **variables})

    def through(self, *words: str) -> Builder:
        return evolve(self, wrapper=words)

    def context(self, name: str, dockerfile: str | None = None, **files: str | bytes) -> Path:
        """A context directory. The times of its files say nothing, so none is set."""
        directory = self.place / name
        directory.mkdir(parents=True, exist_ok=True)
        if dockerfile is not None:
            (directory / "Dockerfile").write_text(dockerfile)
        for path, content in files.items():
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        self.own(directory)
        return directory

    def own(self, path: Path) -> None:
        """Give `path` and all in it to the user who builds."""
        if self.uid is not None:
            gid = pwd.getpwuid(self.uid).pw_gid
            for one in (path, *path.rglob("*")):
                os.chown(one, self.uid, gid, follow_symlinks=False)

    def build(
        self, *words: str | Path, code: int | None = 0, stdin: bytes = b"", timeout: float = SECONDS
    ) -> Outcome:
        """`pybuild build WORDS` with the base image as a named context; `code` None takes any exit code."""
        return self.run(*self.words(words), code=code, stdin=stdin, timeout=timeout)

    def run(
        self, *words: str | Path, code: int | None = 0, stdin: bytes = b"", timeout: float = SECONDS
    ) -> Outcome:
        """`pybuild WORDS` to its end. Whatever happens, it must print no traceback."""
        if self.uid is None and not self.wrapper:
            texts = [str(word) for word in words]
            done = program.run(texts, env=self.variables(), stdin=stdin, timeout=timeout, cwd=self.place)
        else:
            done = subprocess.run(
                self.command(words),
                env=self.variables(),
                input=stdin,
                capture_output=True,
                timeout=timeout,
                check=False,
                cwd=self.place,
            )
        outcome = Outcome(done.returncode, done.stdout.decode(), done.stderr.decode("utf-8", "replace"))
        assert "Traceback" not in outcome.err, outcome.err
        assert "internal error" not in outcome.err, outcome.err
        assert code is None or outcome.code == code, outcome.err
        return outcome

    def start(self, *words: str | Path, log: Path) -> subprocess.Popen[bytes]:
        """`pybuild build WORDS` in a session of its own, all it prints going to the file `log`."""
        with open(log, "wb") as file:
            return subprocess.Popen(
                self.command(self.words(words)),
                env=self.variables(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=self.place,
                start_new_session=True,
            )

    def words(self, words: Sequence[str | Path]) -> list[str | Path]:
        return ["build", "--progress=plain", f"--build-context={BASE}=oci-layout://{self.base}", *words]

    def command(self, words: Sequence[str | Path]) -> list[str]:
        command = [*self.wrapper, sys.executable, "-m", "pybuild", *map(str, words)]
        if self.uid is None:
            return command
        ids = [f"--reuid={self.uid}", f"--regid={pwd.getpwuid(self.uid).pw_gid}", "--clear-groups"]
        return ["setpriv", *ids, *command]

    def variables(self) -> dict[str, str]:
        """What the process sees of the environment: nothing that the tester's own settings could change."""
        home = self.place / "home"
        if not home.is_dir():
            home.mkdir()
            self.own(home)
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        places = {"HOME": str(home), "PYBUILD_ROOT": str(self.store), "PYTHONDONTWRITEBYTECODE": "1"}
        return {**kept, **places, **self.environment}


def steps_run(outcome: Outcome) -> list[str]:
    """The RUN, COPY and WORKDIR steps that were not cached, without their numbers, from plain progress."""
    names: dict[str, str] = {}
    cached: set[str] = set()
    for line in outcome.err.splitlines():
        number, _, rest = line.partition(" ")
        if rest.startswith("[") and not rest.startswith(("[internal", "[context", "[auth")):
            names[number] = rest.partition("] ")[2]
        elif rest == "CACHED":
            cached.add(number)
    return [name for number, name in names.items() if number not in cached]


def said(log: Path, text: str) -> bool:
    """Whether a step has written the line `text`, in plain progress."""
    return (
        re.search(rf"^#\d+ [\d.]+ {re.escape(text)}$", log.read_text(errors="replace"), re.MULTILINE)
        is not None
    )


def manifest_of(layout: Path) -> dict[str, object]:
    """The one manifest of an OCI layout directory."""
    index = json.loads((layout / "index.json").read_bytes())
    (entry,) = index["manifests"]
    found: dict[str, object] = json.loads(blob(layout, entry["digest"]))
    return found


def blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()
