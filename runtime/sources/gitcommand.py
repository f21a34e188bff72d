"""Runs git without the configuration of user and system, and without secrets on command lines.

Configuration goes through the environment (GIT_CONFIG_COUNT), so that git's child processes get it too, among them
those for submodules. git ends with the build: cancellation ends its process group, and the kernel kills a git that
uses the network when the thread that started it is gone.
"""

from __future__ import annotations

import os
import re
import signal
import threading

from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.sources.errors import SourceFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from typing import IO

    from pybuild.runtime.solver.types import Cancellation

OLDEST = (2, 31)
"""The first version that reads configuration from the environment."""

STOP_SECONDS = 3.0
"""Time from SIGTERM to SIGKILL after a cancellation, at most."""
LONGEST_OUTPUT = 16 << 20
"""Most bytes of what a command that uses the network may write; a server has a say in it."""
STALL_SECONDS = 60
"""Time without data after which a transfer over HTTP fails."""

PROTOCOLS = "git:http:https:ssh"

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")

SETTINGS = (
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", os.devnull),
    ("core.excludesFile", os.devnull),
    ("core.autocrlf", "false"),
    ("core.symlinks", "true"),
    ("core.fileMode", "true"),
    ("core.logAllRefUpdates", "false"),
    ("credential.helper", ""),
    ("advice.detachedHead", "false"),
    ("init.defaultBranch", "master"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("fetch.unpackLimit", "1"),
    ("fetch.recurseSubmodules", "false"),
    ("transfer.bundleURI", "false"),
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", str(STALL_SECONDS)),
)
"""Configuration of every command. `fetch.unpackLimit` keeps packs, which git syncs to the disk, unlike loose
objects."""


class GitFailed(SourceFailed):
    """git exited with `code`; `said` is its standard error."""

    def __init__(self, command: str, code: int, said: str) -> None:
        last = next((line for line in reversed(said.splitlines()) if line.strip()), f"exit code {code}")
        super().__init__(f"git {command} failed: {last}")
        self.command = command
        self.code = code
        self.said = said


class Git:
    """Runs git for one remote, with configuration `settings` and environment `variables`, both of which may have
    secrets. `home` is an empty directory."""

    __slots__ = ("_cancellation", "_home", "_settings", "_variables")

    def __init__(
        self,
        home: str,
        cancellation: Cancellation,
        settings: Sequence[tuple[str, str]] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._home = home
        self._cancellation = cancellation
        self._settings = (*SETTINGS, *settings)
        self._variables = dict(variables or {})

    def run(
        self,
        *arguments: str,
        cwd: str | None = None,
        network: bool = False,
        stdin: IO[bytes] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> tuple[bytes, bytes]:
        """Run `git ARGUMENTS` and return its standard output and error. Raises GitFailed, Cancelled; UserError
        without a usable git."""
        import subprocess

        name = next((word for word in arguments if not word.startswith("-") and "/" not in word), "")
        command = [program(), *arguments]
        if network:
            command = [*mortal(), *command]
        process = subprocess.Popen(
            command,
            cwd=cwd or self._home,
            env={**self._environment(), **(variables or {})},
            stdin=stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
            umask=0o022,
        )
        with process:
            out, said = self._finish(process, LONGEST_OUTPUT if network else None)
        if self._cancellation():
            raise Cancelled
        if process.returncode != 0:
            raise GitFailed(name, process.returncode, said.decode("utf-8", "replace"))
        return out, said

    def text(self, *arguments: str, cwd: str | None = None, network: bool = False) -> str:
        """Run git and return its standard output, decoded and stripped. Raises like `run`."""
        return self.run(*arguments, cwd=cwd, network=network)[0].decode("utf-8", "surrogateescape").strip()

    def _finish(self, process: subprocess.Popen[bytes], most: int | None) -> tuple[bytes, bytes]:
        import subprocess

        ended = threading.Event()
        forget = self._cancellation.on_cancel(lambda: _end(process, ended))
        try:
            read = process.communicate if most is None else _Bounded(process, most).communicate
            while True:
                try:
                    return read(timeout=STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    if self._cancellation():
                        _signal(process, signal.SIGKILL)
        except BaseException:
            _signal(process, signal.SIGKILL)
            raise
        finally:
            ended.set()
            forget()

    def _environment(self) -> dict[str, str]:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": self._home,
            "XDG_CONFIG_HOME": self._home,
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TEMPLATE_DIR": self._home,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            "GIT_ALLOW_PROTOCOL": PROTOCOLS,
            "GIT_CONFIG_COUNT": str(len(self._settings)),
        }
        for number, (name, value) in enumerate(self._settings):
            environment[f"GIT_CONFIG_KEY_{number}"] = name
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
        for name in PROXIES:
            for variable in (name, name.lower()):
                if variable in os.environ:
                    environment[variable] = os.environ[variable]
        if os.environ.get("SSL_CERT_FILE"):
            environment["GIT_SSL_CAINFO"] = os.environ["SSL_CERT_FILE"]
        return {**environment, **self._variables}


class _Bounded:
    """The output of a process, of which at most `most` bytes a stream are kept: a process that writes more is
    killed."""

    def __init__(self, process: subprocess.Popen[bytes], most: int) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._most = most
        self._parts: list[bytearray] = []
        self._threads = [self._reader(stream) for stream in (process.stdout, process.stderr)]

    def _reader(self, stream: IO[bytes]) -> threading.Thread:
        kept = bytearray()
        self._parts.append(kept)

        def read() -> None:
            while data := os.read(stream.fileno(), 1 << 16):
                if len(kept) > self._most:
                    _signal(self._process, signal.SIGKILL)
                else:
                    kept.extend(data)

        thread = threading.Thread(target=read, name="git output", daemon=True)
        thread.start()
        return thread

    def communicate(self, *, timeout: float) -> tuple[bytes, bytes]:
        """Wait for the end of the process. Raises subprocess.TimeoutExpired."""
        self._process.wait(timeout)
        for thread in self._threads:
            thread.join()
        out, said = map(bytes, self._parts)
        if max(len(out), len(said)) > self._most:
            said += b"\nthe server sends more than %d bytes of names or messages" % self._most
        return out, said


def _end(process: subprocess.Popen[bytes], ended: threading.Event) -> None:
    # A process that has been waited for may have lost its id to another.
    if not ended.is_set():
        _signal(process, signal.SIGTERM)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """Signal the whole group of a process that has not been waited for."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass


_program: list[str] = []


def program() -> str:
    """Return the path of git. Raises UserError if it is missing or too old."""
    if _program:
        return _program[0]
    from shutil import which

    from pybuild.runtime.sandbox.find import install_command

    path = which("git")
    if path is None:
        raise UserError(
            "git is not installed: it is needed for sources that are git repositories",
            help=f"install it: {install_command('git')}",
        )
    version = _version(path)
    if version and version < OLDEST:
        have, need = (".".join(map(str, numbers)) for numbers in (version, OLDEST))
        raise UserError(
            f"{path} is git {have}: version {need} or newer is needed",
            help=f"install it: {install_command('git')}",
        )
    _program.append(path)
    return path


_mortal: list[list[str]] = []


def mortal() -> list[str]:
    """Return the words before a command that make it die with the thread that starts it: util-linux's setpriv. Empty
    if that is missing or too old; a git then outlives a killed build until its fetch is done."""
    if not _mortal:
        import subprocess
        from shutil import which

        setpriv = which("setpriv")
        # The parent may have died before setpriv(1) asked for the signal, so that is checked after it.
        check = ["sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"']
        prefix = [setpriv, "--pdeathsig", "KILL", "--", *check] if setpriv else []
        trial = [*prefix, str(os.getpid()), "true"]
        works = not prefix or subprocess.run(trial, capture_output=True, check=False).returncode == 0
        _mortal.append(prefix if works else [])
    # The words are kept by processes that are forked later, too: the parent's id is this process's.
    return [*_mortal[0], str(os.getpid())] if _mortal[0] else []


def _version(path: str) -> tuple[int, ...]:
    """Return the first two numbers of git's version, () if its output has none."""
    import subprocess

    done = subprocess.run(
        [path, "version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    match = re.search(r"(\d+)\.(\d+)", done.stdout)
    return tuple(map(int, match.groups())) if match else ()
