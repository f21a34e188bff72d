"""The options of a command: its own and those of the `with` blocks around it, from the outermost one inwards.

Of several options for one path, name or kind the innermost wins; of networks the stricter one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from pybuild.compiler.descriptions import PIDS, SCOPES
from pybuild.compiler.file_actions import absolute
from pybuild.compiler.graph import LinuxResources
from pybuild.compiler.lower.paths import used_path
from pybuild.compiler.lower.recipe.caches import cache_mount
from pybuild.compiler.lower.recipe.lowered_state import LoweredState
from pybuild.compiler.lower.recipe.lowering import Lowering
from pybuild.compiler.lower.recipe.problems import mount_at_root
from pybuild.compiler.lower.recipe.templates import expanded
from pybuild.compiler.lower.step_defaults import NETWORKS
from pybuild.compiler.mounts import AnyMount, SecretMount, SSHMount, bind, tmpfs
from pybuild.compiler.ops import CDIDevice, HostIP, NetMode, SecurityMode
from pybuild.compiler.state import State
from pybuild.lang import recipe
from pybuild.lang.recipe import Option
from pybuild.lang.source import Span

REVISION = "PYBUILD_SECRET_REV_"
"""The prefix of variables that hold revisions of secrets, which makes these a part of the op and of its key."""

_STRICTNESS = ("host", "sandbox", "none")
_PERIOD = 100_000
"""The period of the CPU limit in microseconds; processes may run for `cpus` times as long in each."""


class RunOptions:
    """The collected options of a command. `environment`, `user` and `cwd` are those of its process."""

    def __init__(self, lowering: Lowering, lowered: LoweredState, span: Span | None) -> None:
        self.environment = dict(lowered.environment)
        self.user = lowered.config.user
        self.cwd = lowered.cwd
        self.uncached = False
        self.security: SecurityMode | None = None
        self._lowering = lowering
        self._made = lowered
        self._span = span
        self._network: str | None = None
        self._mounts: dict[str, AnyMount] = {}
        self._secrets: dict[str, SecretMount] = {}
        self._hosts: dict[str, HostIP] = {}
        self._devices: dict[str, CDIDevice] = {}
        self._scopes: dict[str, str] = {}
        self._limits: dict[str, int] = {}

    def gather(self, options: Iterable[Option]) -> None:
        """Collect options. Raises `SourceError`."""
        options = list(options)
        # Mounts depend on the user and the directory, whichever comes first.
        for kinds in (_PROCESS, _MOUNTED):
            for option in options:
                take = kinds.get(type(option))
                if take is not None:
                    take(self, option)

    # Results

    @property
    def mounts(self) -> list[AnyMount]:
        return [*self._mounts.values(), *self._secrets.values()]

    @property
    def targets(self) -> frozenset[str]:
        return frozenset(self._mounts)

    @property
    def network(self) -> NetMode | None:
        """The network mode; None leaves the build's default."""
        return None if self._network is None else NETWORKS.get(self._network, NetMode.UNSET)

    @property
    def hosts(self) -> tuple[HostIP, ...]:
        return tuple(self._hosts.values())

    @property
    def devices(self) -> tuple[CDIDevice, ...]:
        return tuple(self._devices.values())

    @property
    def resources(self) -> LinuxResources | None:
        memory, cpus = self._limits.get("memory", 0), self._limits.get("cpus", 0)
        if not memory and not cpus:
            return None
        period = _PERIOD if cpus else 0
        return LinuxResources(memory=memory, cpu_period=period, cpu_quota=cpus * period)

    @property
    def description(self) -> dict[str, str]:
        out = {}
        if self._scopes:
            out[SCOPES] = json.dumps(self._scopes, sort_keys=True, separators=(",", ":"))
        if self._limits.get("pids"):
            out[PIDS] = str(self._limits["pids"])
        return out

    # Options of the process

    def _env(self, option: recipe.RunEnv) -> None:
        before = dict(self.environment)
        for name, value in option.values:
            text = expanded(value, before, self._span, whole=self._made.whole)
            self.environment.pop(name, None)
            self.environment[name] = text

    def _user(self, option: recipe.RunUser) -> None:
        self.user = option.name

    def _workdir(self, option: recipe.RunWorkdir) -> None:
        self.cwd = absolute(self.cwd, option.path)

    def _network_of(self, option: recipe.Network) -> None:
        self._network = max(self._network or option.mode, option.mode, key=_STRICTNESS.index)

    def _insecure(self, option: recipe.Insecure) -> None:
        self.security = SecurityMode.INSECURE

    def _device(self, option: recipe.Device) -> None:
        self._devices[option.name] = CDIDevice(option.name, option.optional)

    def _host(self, option: recipe.ExtraHost) -> None:
        self._hosts[option.name] = HostIP(option.name, option.ip)

    def _limit(self, option: recipe.Limits) -> None:
        for name in ("memory", "cpus", "pids"):
            if getattr(option, name):
                self._limits[name] = getattr(option, name)

    def _uncached(self, option: recipe.Uncached) -> None:
        self.uncached = True

    # Mounts

    def _put(self, path: str, span: Span | None, make: Callable[[str], AnyMount]) -> None:
        target = absolute(self.cwd, path)
        if target == "/":
            raise mount_at_root(path, span)
        # Removed first, so that the mount comes last in the order of the dict.
        self._mounts.pop(target, None)
        self._mounts[target] = make(target)

    def _cache(self, option: recipe.CacheMount) -> None:
        seed = None if option.seed is None else self._lowering.lowered[option.seed]
        self._scopes.pop(option.id, None)
        if option.scope == "project":
            self._scopes[option.id] = option.scope
        self._put(
            option.path,
            option.span,
            lambda target: cache_mount(option, target, self.user, self._made, seed),
        )

    def _bind(self, option: recipe.BindMount) -> None:
        files = State(self._lowering.lowered[option.state].edge)
        selector = used_path(option.path).removeprefix("/")
        self._put(
            option.at,
            option.span,
            lambda target: bind(
                target,
                files,
                selector=f"/{selector}" if selector else "",
                readonly=not option.rw,
                output=option.kept,
            ),
        )

    def _tmpfs(self, option: recipe.TmpfsMount) -> None:
        self._put(option.path, option.span, lambda target: tmpfs(target, size=option.size))

    def _agent(self, option: recipe.AgentMount) -> None:
        if option.at:
            self._put(
                option.at,
                option.span,
                lambda target: SSHMount(option.id, target, optional=option.optional),
            )
        else:
            self._mounts[f"ssh {option.id}"] = SSHMount(option.id, optional=option.optional)

    def _secret(self, option: recipe.SecretMount) -> None:
        if option.rev:
            name = REVISION + re.sub(r"[^A-Za-z0-9]", "_", option.id).upper()
            self.environment.pop(name, None)
            self.environment[name] = option.rev
        attributes: dict[str, Any] = {
            "uid": option.uid,
            "gid": option.gid,
            "mode": option.mode,
            "optional": option.optional,
        }
        if option.env:
            self._secrets.pop(option.env, None)
            self._secrets[option.env] = SecretMount(option.id, None, option.env, **attributes)
        else:
            self._put(
                option.at, option.span, lambda target: SecretMount(option.id, target, None, **attributes)
            )


_Take = dict[type, Callable[[RunOptions, Any], None]]

_PROCESS: _Take = {
    recipe.RunEnv: RunOptions._env,
    recipe.RunUser: RunOptions._user,
    recipe.RunWorkdir: RunOptions._workdir,
    recipe.Network: RunOptions._network_of,
    recipe.Insecure: RunOptions._insecure,
    recipe.Device: RunOptions._device,
    recipe.ExtraHost: RunOptions._host,
    recipe.Limits: RunOptions._limit,
    recipe.Uncached: RunOptions._uncached,
}
_MOUNTED: _Take = {
    recipe.CacheMount: RunOptions._cache,
    recipe.BindMount: RunOptions._bind,
    recipe.TmpfsMount: RunOptions._tmpfs,
    recipe.AgentMount: RunOptions._agent,
    recipe.SecretMount: RunOptions._secret,
}
