"""Run options: what `with` gives to the runs in it."""

from __future__ import annotations

from attrs import field, frozen

from pybuild.lang.source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.recipe.states import State
    from pybuild.lang.recipe.text import Template


@frozen
class CacheMount:
    """`uid` or `gid` None is the user's in force. `mode` are permission bits."""

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
    """What a writable one is left with is dropped, unless it is `kept`: then it is the state `Mounted`."""

    state: State
    at: str
    path: str
    rw: bool
    kept: bool = field(default=False, kw_only=True)
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class SecretMount:
    """A file at `at`, or the variable `env`; one of them is ""."""

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
    """`at` "" is a path of its own."""

    id: str
    at: str
    optional: bool
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class TmpfsMount:
    """`size` in bytes, 0 for no limit."""

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
    """`sandbox`, `none` or `host`."""

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
    """`memory` in bytes; 0 is no limit of that kind."""

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
