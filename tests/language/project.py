"""Projects of the language, built by `pybuild` as a user does, judged by what is printed and left."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen
from tests.e2e.building import Outcome, blob
from tests.replay.project import SETTLE_SECONDS, TELL
from tests.support.warm import program

SECONDS = 120
HEADER = "# syntax=pybuild:1\n\n"
BASE = re.compile(rb"\bBASE\b")
"""Stands in the texts of tests for the busybox image, as a state."""


@frozen
class Member:
    """One entry of an image's file system."""

    kind: str
    mode: int
    owner: tuple[int, int]
    data: bytes
    link: str


@frozen
class Image:
    """An exported image: its manifest, config, and the entries of each layer by path."""

    manifest: Mapping[str, Any]
    json: Mapping[str, Any]
    layers: tuple[Mapping[str, Member], ...]

    @property
    def config(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.json["config"]
        return found

    @property
    def files(self) -> dict[str, Member]:
        """All layers over one another; whiteouts stay as they are."""
        return {path: member for layer in self.layers for path, member in layer.items()}

    def text(self, path: str) -> str:
        return self.files[path].data.decode()

    def below(self, path: str) -> list[str]:
        """The paths of files in a directory, relative to it."""
        start = path.rstrip("/") + "/"
        return sorted(
            name.removeprefix(start)
            for name, member in self.files.items()
            if name.startswith(start) and member.kind != "dir"
        )


class Project:
    """A directory with a build file. `package` holds the program, `base` is the layout that `BASE` stands for."""

    def __init__(self, place: Path, store: Path, package: Path, base: Path) -> None:
        self.place = place
        self.store = store
        self.package = package
        self.base = base
        self.directory = place / "project"
        self.home = place / "home"
        self.environment: dict[str, str] = {}
        self.directory.mkdir(parents=True)
        self.home.mkdir()
        (place / "tell").mkdir()
        (place / "tell" / "sitecustomize.py").write_text(TELL)

    def at(self, directory: Path) -> Project:
        """The project in another directory, with the same store and home."""
        directory.mkdir(parents=True, exist_ok=True)
        other = object.__new__(Project)
        other.__dict__.update(self.__dict__, directory=directory, environment=dict(self.environment))
        return other

    def write(self, text: str, files: Mapping[str, str | bytes] | None = None) -> None:
        """The build file, without its first line, and files of the project."""
        self.put({**(files or {}), "build.pybuild": HEADER + text.lstrip("\n")})

    def put(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content.encode() if isinstance(content, str) else content
            if name.endswith(".pybuild"):
                data = BASE.sub(f'oci("{self.base}")'.encode(), data)
            path.write_bytes(data)

    def run(
        self,
        *words: str,
        code: int | None = 0,
        cwd: Path | None = None,
        fresh: bool = False,
        **variables: Any,
    ) -> Outcome:
        """`pybuild WORDS` to its end. Whatever happens, it must print no traceback. A `fresh` interpreter tells its
        `modules`."""
        (self.place / "modules").unlink(missing_ok=True)
        place, env = cwd or self.directory, self.variables(**variables)
        if fresh:
            done = subprocess.run(
                self.command(*words),
                cwd=place,
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        else:
            done = program.run(words, cwd=place, env=env, timeout=SECONDS, package=self.package)
        outcome = Outcome(done.returncode, done.stdout.decode(), done.stderr.decode("utf-8", "replace"))
        assert "Traceback" not in outcome.err, outcome.err
        assert "internal error" not in outcome.err, outcome.err
        assert code is None or outcome.code == code, outcome.out + outcome.err
        return outcome

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "pybuild", *words]

    def variables(self, **more: Any) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYBUILD_ROOT": str(self.store),
            "PYTHONPATH": f"{self.place}/tell:{self.package}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TELL_MODULES": str(self.place / "modules"),
            **self.environment,
            **more,
        }

    def build(self, *words: str, code: int | None = 0, **variables: Any) -> Outcome:
        return self.run("build", "--progress=plain", *self.allowed, *words, code=code, **variables)

    def test(self, *words: str, code: int | None = 0, **variables: Any) -> Outcome:
        return self.run("test", "--progress=plain", *self.allowed, *words, code=code, **variables)

    @property
    def allowed(self) -> tuple[str, ...]:
        return (f"--allow=read={self.base}",)

    def settled(self, *words: str, code: int | None = 0, **variables: Any) -> Outcome:
        """Build once every file is older than the clock's grain."""
        time.sleep(SETTLE_SECONDS)
        return self.build(*words, code=code, **variables)

    def modules(self) -> frozenset[str]:
        """The modules that the last command had imported, which was a fresh one."""
        return frozenset((self.place / "modules").read_text().split())

    def image(self, *words: str, **variables: Any) -> Image:
        """Build the one image of the words and read it as an OCI layout."""
        (found,) = self.images(*words, **variables)
        return found

    def images(self, *words: str, **variables: Any) -> list[Image]:
        """Those of all platforms, in the index's order."""
        layout = self.place / f"layout{len(list(self.place.iterdir()))}"
        self.build("-o", f"type=oci,dest={layout},tar=false", *words, **variables)
        return read_images(layout)

    def text(self, name: str) -> str:
        return (self.directory / name).read_text()

    def names(self, directory: str = ".") -> list[str]:
        """The files in a directory of the project, by their paths from there."""
        top = self.directory / directory
        return sorted(str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir())

    def git(self, *words: str) -> str:
        return git(self.directory, *words)


def git(directory: Path, *words: str) -> str:
    """`git WORDS` in a directory, as an author of the tests' own; its first line."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", *identity, *words], cwd=directory, check=True, capture_output=True, timeout=60, text=True
    )
    return done.stdout.partition("\n")[0]


def read_images(layout: Path) -> list[Image]:
    """All images of an OCI layout."""
    entries = json.loads((layout / "index.json").read_bytes())["manifests"]
    found = []
    while entries:
        entry = entries.pop(0)
        value = json.loads(blob(layout, entry["digest"]))
        if "manifests" in value:
            entries = value["manifests"] + entries
        else:
            found.append(_image(layout, value))
    return found


def _image(layout: Path, manifest: Mapping[str, Any]) -> Image:
    config = json.loads(blob(layout, manifest["config"]["digest"]))
    layers = tuple(_layer(blob(layout, one["digest"])) for one in manifest["layers"])
    return Image(manifest, config, layers)


def _layer(data: bytes) -> dict[str, Member]:
    found: dict[str, Member] = {}
    kinds = {
        tarfile.DIRTYPE: "dir",
        tarfile.SYMTYPE: "link",
        tarfile.LNKTYPE: "hard",
        tarfile.REGTYPE: "file",
    }
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for one in archive:
            file = archive.extractfile(one) if one.isfile() else None
            found["/" + one.name.rstrip("/")] = Member(
                kinds.get(one.type, "other"),
                one.mode,
                (one.uid, one.gid),
                file.read() if file is not None else b"",
                one.linkname,
            )
    return found
