"""Run options: the mounts, variables and limits that `with` applies to the runs in its block."""

from __future__ import annotations

from attrs import field, frozen

from pybuild.lang.source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.recipe.states import State
    from pybuild.lang.recipe.text import Template


@frozen
class CacheMount:
    """A cache directory at `path`. `uid` and `gid` None stand for the current user. `mode` are permission bits."""

    path: str
    id: str
    scope: str
    sharing: str
    seed: State | None
    uid: int | None
    gid: int | None
    mode: int
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class BindMount:
    """The subtree `path` of a state, mounted at `at`.

    Writes to a writable mount (`rw`) are discarded, unless it is `kept`: then they make the state `Mounted`."""

    state: State
    at: str
    path: str
    rw: bool
    kept: bool = field(default=False, kw_only=True)
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class SecretMount:
    """A secret as a file at `at` or as the variable `env`; the other of the two is ""."""

    id: str
    at: str
    env: str
    optional: bool
    uid: int
    gid: int
    mode: int
    rev: str
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class AgentMount:
    """The socket of an SSH agent. An empty `at` stands for the default path."""

    id: str
    at: str
    optional: bool
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class TmpfsMount:
    """An empty file system in memory. `size` is in bytes, 0 for no limit."""

    path: str
    size: int
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class RunEnv:
    values: tuple[tuple[str, Template], ...]


@frozen
class RunUser:
    name: str


@frozen
class RunWorkdir:
    path: str


@frozen
class Network:
    """The network of a run. `mode` is `sandbox`, `none` or `host`."""

    mode: str
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Device:
    name: str
    optional: bool
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Insecure:
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class ExtraHost:
    name: str
    ip: str


@frozen
class Limits:
    """Resource limits. `memory` is in bytes; 0 means no limit of that kind."""

    memory: int
    cpus: int
    pids: int
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Uncached:
    pass


Option = (
    CacheMount
    | BindMount
    | SecretMount
    | AgentMount
    | TmpfsMount
    | RunEnv
    | RunUser
    | RunWorkdir
    | Network
    | Device
    | Insecure
    | ExtraHost
    | Limits
    | Uncached
)
