"""The process of an exec op: its arguments, the settings of a state, and the capabilities of a solver it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pybuild.compiler.mounts import AnyMount, number_ssh
from pybuild.compiler.ops import ExecOp, Meta, NetMode, ProxyEnv, SecurityMode
from pybuild.lang.diagnostics import UserError

if TYPE_CHECKING:
    from pybuild.compiler.state import State


def arguments(args: Sequence[str], shell: str | None) -> tuple[str, ...]:
    """Return the argument vector. A string is split into words; `shell` is run by `/bin/sh -c`.

    Raises `UserError` if there is no command, or both.
    """
    if shell is not None:
        if args:
            raise UserError("a command is given twice", help="give either `args` or `shell`")
        return ("/bin/sh", "-c", shell)
    if isinstance(args, str):
        args = _words(args)
    if not args:
        raise UserError("a command has no arguments", help="name the program to run")
    return tuple(args)


def _words(command: str) -> list[str]:
    from shlex import split

    try:
        return split(command)
    except ValueError as error:
        raise UserError(
            f"the command {command!r} can't be split into words: {error}",
            help="close the quotes, or give the arguments as a list",
        ) from None


def process(state: State, args: tuple[str, ...], mounts: Sequence[AnyMount], proxy: ProxyEnv | None) -> Meta:
    """Return the process of a command. `SSH_AUTH_SOCK` is the first agent socket, unless the state sets it."""
    environment = dict(state.environment)
    sockets = number_ssh(mounts)
    if sockets:
        environment.setdefault("SSH_AUTH_SOCK", sockets[0].target)
    return Meta(
        args=args,
        env=tuple(f"{name}={value}" for name, value in environment.items()),
        cwd=state.cwd,
        user=state.user_name,
        proxy_env=proxy,
        extra_hosts=state.extra_hosts,
        hostname=state.host_name,
        ulimit=state.ulimits,
        cgroup_parent=state.cgroup_parent,
        remove_mount_stubs_recursive=True,
        valid_exit_codes=state.valid_exit_codes,
    )


def exec_caps(op: ExecOp) -> set[str]:
    """Return the capabilities that an exec op needs, without those of its mounts."""
    caps = {"exec.meta.base", "exec.meta.setsdefaultpath"}
    needs = {
        "exec.meta.network": op.network is not NetMode.UNSET,
        "exec.meta.security": op.security is not SecurityMode.SANDBOX,
        "exec.meta.proxyenv": op.meta.proxy_env is not None,
        "exec.meta.ulimit": bool(op.meta.ulimit),
        "exec.validexitcode": bool(op.meta.valid_exit_codes),
        "exec.meta.cdi": bool(op.cdi_devices),
    }
    return caps | {cap for cap, needed in needs.items() if needed}
