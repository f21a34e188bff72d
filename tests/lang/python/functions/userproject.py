"""Build modules on the disk, run as a build does, and payloads run by this machine's Python as a container does."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import types
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from attrs import frozen

from pybuild.lang.diagnostics import SourceError, render
from pybuild.lang.python.functions import Payload, capture, decode, payload
from pybuild.lang.recipe import LINES


@frozen
class Run:
    """What a run of a payload left. `value` is what the function returned, None if it has failed."""

    code: int
    out: str
    err: str
    value: Any


class UserProject:
    """A project; `place` is where payloads are laid out. Modules it has imported are forgotten at the end."""

    def __init__(self, directory: Path, place: Path) -> None:
        self.directory = directory
        self.place = place
        directory.mkdir()
        self._before = set(sys.modules)

    def __enter__(self) -> UserProject:
        sys.path.insert(0, str(self.directory))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.path.remove(str(self.directory))
        for name in set(sys.modules) - self._before:
            if str(getattr(sys.modules[name], "__file__", "") or "").startswith(str(self.directory)):
                del sys.modules[name]

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip("\n"))

    def module(self, text: str, name: str = "build.py") -> Any:
        """A build module, which no import knows."""
        self.write({name: text})
        path = self.directory / name
        made = types.ModuleType("build")
        made.__file__ = str(path)
        exec(compile(path.read_text(), str(path), "exec", dont_inherit=True), made.__dict__)
        return made

    def payload(self, function: object, *args: object, **kwargs: object) -> Payload:
        return payload(capture(function, str(self.directory)), args, kwargs)

    def refused(self, function: object, *args: object, **kwargs: object) -> str:
        """The message about a function or arguments that can't be sent."""
        with pytest.raises(SourceError) as caught:
            self.payload(function, *args, **kwargs)
        return render(caught.value.diagnostic)

    def call(self, function: object, *args: object, **kwargs: object) -> Any:
        """What the function returns when it runs by itself."""
        done = self.run(self.payload(function, *args, **kwargs))
        assert done.code == 0, done.err
        return done.value

    def run(
        self,
        sent: Payload,
        *,
        lines: bool = True,
        inputs: Mapping[int, bytes] | None = None,
        **variables: str,
    ) -> Run:
        """Start the payload as the container does, in another directory and without the project's path."""
        base = self.place / str(len(list(self.place.iterdir())) if self.place.exists() else 0)
        for name, data in sent.files.items():
            path = base / "call" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for directory in ("return", "in", "work"):
            (base / directory).mkdir()
        for number, data in (inputs or {}).items():
            (base / "in" / f"{number}.json").write_bytes(data)
        told = {LINES: sent.lines} if lines else {}
        done = subprocess.run(
            [sys.executable, *sent.argv[1:-1], str(base / "call" / "main.py")],
            cwd=base / "work",
            env={"PATH": os.environ["PATH"], **told, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        value = base / "return" / "value.json"
        found = decode(value.read_bytes(), sent.classes) if value.exists() else None
        return Run(done.returncode, done.stdout, done.stderr.replace(str(base), "BASE"), found)
