"""Commands of pages: in this process as far as a build compiles, in one of their own where it runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Event

import pytest
from tests.lang.textual.codes.pages import HOST, steady, write
from tests.runtime.sources.remote.webserver import Handler, Web

import pybuild
from pybuild.build import errors
from pybuild.build.execute import BuildResult
from pybuild.build.pipeline import warner
from pybuild.cli.commands import main
from pybuild.frontends.build_context import find_context
from pybuild.frontends.choose import choose
from pybuild.lang.source import Source
from pybuild.lang.textual import modules
from pybuild.language.library import LocalLibrary
from pybuild.language.local_place import LocalPlace
from pybuild.replay.dependencies import Dependencies
from pybuild.request.request import BuildRequest
from pybuild.runtime.progress.observer import Observer

TOOL = b"#!/bin/sh\necho hello from acme\n"
IMPATIENT = (
    "from pybuild.runtime.registry.transport import Transport;"
    "Transport.request.__kwdefaults__.update(attempts=2, read_seconds=1.0);"
    "from pybuild import main; main()"
)
"""The program with less patience for servers."""

_FIRST = re.compile(r"^(?:error|warning)\[.*", re.S | re.M)


class Elsewhere:
    """Stands for what fetches modules: has them in memory, by what a `use` says. `@main` is a branch."""

    def __init__(self, files: Mapping[str, str], directory: Path) -> None:
        self.files = files
        self.directory = directory

    def find(self, written: str) -> modules.ModuleText:
        place = LocalPlace(str(self.directory), "elsewhere", Dependencies())
        source = Source(written, self.files[written])
        return modules.ModuleText(written, modules.FOREIGN, source, place, written.endswith("@main"))


class Here:
    """Runs command lines in this process, in a directory with the `files` of a page. A build ends when it is
    compiled."""

    def __init__(
        self, directory: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self.directory = directory / "web"
        self.directory.mkdir()
        self.capsys = capsys
        self.patch = patch
        patch.chdir(self.directory)
        patch.setenv("XDG_CONFIG_HOME", str(directory / "config"))
        patch.setenv("PYBUILD_ROOT", str(directory / "store"))
        patch.setattr("pybuild.build.pipeline.build", _compile)

    def run(self, command: str, files: Mapping[str, str]) -> tuple[int, str]:
        """The exit code, and the messages about the files."""
        elsewhere = Elsewhere(files, self.directory)
        self.patch.setattr(LocalLibrary, "_fetcher", lambda _: elsewhere)
        words = shlex.split(command)[1:]
        try:
            code = main(words)
        except BaseException as error:
            code = errors.report(error, sys.stderr)
        out, err = self.capsys.readouterr()
        return code, steady(out if words[0] == "check" else _messages(err), self.directory)


def _compile(request: BuildRequest, observer: Observer, _: object) -> BuildResult:
    choose(find_context(request, observer), warner(observer))
    return BuildResult(())


class Server(Web):
    """Has `/tool.sh`, stays silent at `/slow.sh`, and has nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.files["/tool.sh"] = TOOL
        self.rules.append(self._silent)
        self.closing = Event()

    def _silent(self, handler: Handler) -> bool:
        return handler.path == "/slow.sh" and self.closing.wait()

    def close(self) -> None:
        self.closing.set()
        super().close()


class Real:
    """Runs command lines as a user does, in `directory`, against a server of the test."""

    def __init__(self, directory: Path, server: Server) -> None:
        assert len(server.host) == len(HOST)
        self.directory = directory / "web"
        self.directory.mkdir()
        self.server = server
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.path.dirname(os.path.dirname(pybuild.__file__)),
            "XDG_CONFIG_HOME": str(directory / "config"),
            "PYBUILD_ROOT": str(directory / "store"),
        }

    def run(self, command: str, files: Mapping[str, str]) -> tuple[int, str]:
        """The exit code, and the messages about the files."""
        write({name: text.replace(HOST, self.server.host) for name, text in files.items()}, self.directory)
        done = subprocess.run(
            [sys.executable, "-c", IMPATIENT, *shlex.split(command)[1:]],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        said = _messages(done.stderr).replace(self.server.host, HOST)
        return done.returncode, steady(said, self.directory)


def _messages(text: str) -> str:
    """What comes behind the progress of a build."""
    return "".join(_FIRST.findall(text))
