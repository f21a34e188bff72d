"""Programs that declare targets and build them, as their own process or as modules of this one."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType, TracebackType

from pybuild.builder.python_targets import record_targets
from pybuild.lang.python.transfer import Replay, from_bytes


class Program:
    """Its directory, which is on the import path meanwhile; modules that came from it are forgotten at the end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()

    def __enter__(self) -> Program:
        sys.path.insert(0, str(self.directory))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.path.remove(str(self.directory))
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "") or "").startswith(str(self.directory)):
                del sys.modules[name]

    def module(self, name: str, text: str) -> ModuleType:
        """The module of this text, imported."""
        (self.directory / f"{name}.py").write_text(textwrap.dedent(text).lstrip("\n"))
        importlib.invalidate_caches()
        return importlib.import_module(name)

    def script(self, text: str, *, closed: bool = False) -> subprocess.CompletedProcess[str]:
        """Runs a script; with `closed` it has no standard streams, and its output is not seen."""
        path = self.directory / "script.py"
        path.write_text(textwrap.dedent(text).lstrip("\n"))
        command = [sys.executable, str(path)]
        if closed:
            command = ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command]
        return subprocess.run(
            command,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=_environment(),
        )


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYBUILD_")}


def recording_of(target: object) -> Replay:
    """What a worker would get of a target. Raises SourceErrors."""
    return from_bytes(record_targets(target, {}))
