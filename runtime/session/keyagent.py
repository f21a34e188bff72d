"""Runs an `ssh-agent` with private keys for the time of a build."""

from __future__ import annotations

import os
import signal

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.sandbox.find import find_program, install_command
from pybuild.runtime.session.keys import read_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.runtime.sandbox.runner import Runner

_WATCHED = "echo $SSH_AGENT_PID; exec cat"
"""The command that the agent starts and outlives only shortly. It ends when this process closes its standard input,
or dies."""


class KeyAgent:
    """A running agent. `path` is its socket, in a directory that only this user can enter.

    The constructor starts it and raises UserError if OpenSSH is missing or does not take a key.
    """

    def __init__(self, path: str, keys: Sequence[str], runner: Runner | None) -> None:
        self.path = path
        self._pid = ""
        agent, add = _program("ssh-agent"), _program("ssh-add")
        self._process = _Process([agent, "-a", path, "/bin/sh", "-c", _WATCHED], {}, None, runner)
        try:
            self._pid = self._process.line()
            if not self._pid.strip().isdigit():
                raise UserError(f"{agent} did not start: {self._pid.strip() or self._process.rest()}")
            for key in keys:
                self._add(add, key, runner)
        except BaseException:
            self.close()
            raise

    def _add(self, add: str, key: str, runner: Runner | None) -> None:
        data = _key(key)
        # ssh-add refuses key files that others can read; its standard input it takes as it is.
        fd = os.memfd_create("key")
        try:
            os.write(fd, data)
            os.lseek(fd, 0, os.SEEK_SET)
            variables = {"SSH_AUTH_SOCK": self.path, "SSH_ASKPASS_REQUIRE": "never"}
            process = _Process([add, "-q", "-"], variables, fd, runner)
        finally:
            os.close(fd)
        output = process.rest()
        if process.end() != 0:
            raise UserError(f"ssh-add does not take the key {key}: {output or 'it says nothing'}")

    def close(self) -> None:
        """End the agent. Idempotent."""
        pid, self._pid = self._pid, ""
        # The command ends with the pipe, and the agent up to ten seconds later. So it is signalled, unless the runner
        # kills it with the command.
        self._process.end(kill=True)
        if pid.strip().isdigit() and not self._process.contained:
            try:
                os.kill(int(pid), signal.SIGTERM)
            except ProcessLookupError:
                pass


class _Process:
    """A process whose output is read through a pipe. With `stdin` None its input is a pipe that stays open until
    `end`. A `contained` process is in the runner's pid namespace, where a kill ends its descendants too."""

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], stdin: int | None, runner: Runner | None
    ) -> None:
        self.contained = runner is not None
        source, self._input = (stdin, -1) if stdin is not None else os.pipe()
        read, write = os.pipe()
        self._output = open(read, encoding="utf-8", errors="replace")  # noqa: SIM115 - closed by `end`
        environment = {"PATH": os.defpath, **env}
        try:
            if runner is not None:
                self._child = runner.spawn(argv, env=environment, stdin=source, stdout=write, stderr=write)
            else:
                actions = [
                    (os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate((source, write, write))
                ]
                self._own = os.posix_spawn(argv[0], list(argv), environment, file_actions=actions)
        except BaseException:
            self._output.close()
            if self._input >= 0:
                os.close(self._input)
            raise
        finally:
            os.close(write)
            if stdin is None:
                os.close(source)

    def line(self) -> str:
        """Read one line of output."""
        return self._output.readline()

    def rest(self) -> str:
        """Read the rest of the output, with runs of white space as one blank."""
        return " ".join(self._output.read().split())

    def end(self, *, kill: bool = False) -> int:
        """Wait for the process and return its exit code. Idempotent: later calls return -1."""
        if self._output.closed:
            return -1
        if self._input >= 0:
            os.close(self._input)
        try:
            if not self.contained:
                return os.waitstatus_to_exitcode(os.waitpid(self._own, 0)[1])
            with self._child as child:
                if kill:
                    child.kill()
                return child.wait() or 0
        finally:
            self._output.close()


def _key(path: str) -> bytes:
    try:
        data, problem = read_key(path)
    except OSError as error:
        raise UserError(f"the key {path} can't be read: {error.strerror or error}") from None
    if problem:
        raise UserError(f"the key {path} can't be used: {problem}")
    return data


def _program(name: str) -> str:
    path = find_program(name)
    if path is None:
        raise UserError(
            f"keys given by --ssh are served by OpenSSH's {name}, which isn't installed",
            help=f"install it: {install_command('openssh-client')}; or name the socket of an agent: --ssh "
            "default=SOCKET",
        )
    return path
