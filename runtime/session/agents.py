"""The client's SSH agents: sockets it has, and agents started for private keys in files.

Keys are served by OpenSSH's `ssh-agent`, one an id, which lives as long as the build: under the runner it dies with
it on any end, else its own watch over the process that it was started for ends it.
"""

from __future__ import annotations

import os
import stat
import threading

from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import UsageError
from pybuild.runtime.session.keys import read_key
from pybuild.runtime.session.sockets import Sockets
from pybuild.runtime.session.types import Agents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pybuild.runtime.sandbox.runner import Runner
    from pybuild.runtime.session.keyagent import KeyAgent

DEFAULT = "default"
SOCKET_VARIABLE = "SSH_AUTH_SOCK"

_HELP = "write --ssh default, or --ssh ID=SOCKET, or --ssh ID=KEY[,KEY]"


class AgentSource:
    """The agent `id`: the socket `path`, or the private `keys` in files. `raw`: steps may ask everything of it."""

    __slots__ = ("id", "keys", "path", "raw")

    def __init__(
        self, id: str, *, path: str | None = None, keys: Iterable[str] = (), raw: bool = False
    ) -> None:
        self.id = id or DEFAULT
        self.path = path
        self.keys = tuple(keys)
        self.raw = raw


def parse(text: str) -> AgentSource:
    """The source that `ID[=SOCKET|KEY[,KEY…][,raw=true]]` names; without one it is the socket that SSH_AUTH_SOCK
    names. Raises UsageError for what isn't there or is no key."""
    id, _, rest = text.partition("=")
    raw, paths = False, []
    for part in rest.split(","):
        if part.startswith("raw="):
            raw = _boolean(text, part.removeprefix("raw="))
        else:
            paths.append(part)
    if raw and len(paths) != 1:
        raise _usage(text, f"raw mode must supply exactly one socket path for {id!r}")
    if paths in ([], [""]):
        paths = [os.environ.get(SOCKET_VARIABLE, "")]
        if not paths[0]:
            raise UsageError(
                f"--ssh {text}: invalid empty ssh agent socket: make sure {SOCKET_VARIABLE} is set",
                help="start an agent (eval $(ssh-agent); ssh-add), or name a socket or a key: --ssh "
                f"{id or DEFAULT}=PATH",
            )
    return _source(text, id, paths, raw)


def parse_all(texts: Iterable[str]) -> list[AgentSource]:
    """Raises UsageError, also for two of one id."""
    found: dict[str, AgentSource] = {}
    for text in texts:
        source = parse(text)
        if source.id in found:
            raise UsageError(f"--ssh {text}: duplicate agent ID {source.id!r}", help="give each agent an ID")
        found[source.id] = source
    return list(found.values())


def named(text: str) -> tuple[str, ...] | None:
    """The files, as a flag names them, whose state says whether it can be meant; None where more than that does.
    The flag is one that `parse` takes."""
    paths = [part for part in text.partition("=")[2].split(",") if not part.startswith("raw=")]
    return None if paths in ([], [""]) else tuple(paths)


def _source(text: str, id: str, paths: list[str], raw: bool) -> AgentSource:
    sockets: list[str] = []
    keys: list[str] = []
    for path in paths:
        try:
            is_socket = stat.S_ISSOCK(os.stat(path).st_mode)
            if not is_socket and not raw:
                problem = read_key(path)[1]
                if problem:
                    raise _usage(text, f"failed to parse {path}: {problem}")
        except OSError as error:
            raise _usage(text, f"{path}: {(error.strerror or str(error)).lower()}") from None
        (sockets if is_socket else keys).append(os.path.abspath(path))
    if len(sockets) > 1:
        raise _usage(text, "only single socket allowed")
    if raw and not sockets:
        raise _usage(text, "raw mode only supported with socket paths")
    if sockets and keys:
        raise _usage(text, "invalid combination of keys and sockets")
    return AgentSource(id, path=sockets[0] if sockets else None, keys=keys, raw=raw)


def _boolean(text: str, value: str) -> bool:
    on = truth(value)
    if on is None:
        raise _usage(text, f"invalid value for 'raw': {value}")
    return on


def _usage(text: str, title: str) -> UsageError:
    return UsageError(f"--ssh {text}: {title}", help=_HELP)


class ClientAgents(Agents):
    """The agents of `sources`. Thread-safe. `directory` is as in `Sockets`. `close` it."""

    def __init__(
        self,
        sources: Iterable[AgentSource] = (),
        directory: Callable[[], str] | None = None,
        runner: Runner | None = None,
    ) -> None:
        self._sources = {source.id: source for source in sources}
        self._sockets = Sockets(directory)
        self._runner = runner
        self._guard = threading.Lock()
        self._started: dict[str, KeyAgent] = {}

    def socket(self, id: str) -> str | None:
        """See `Agents`."""
        source = self._sources.get(id or DEFAULT)
        if source is None or source.path is not None:
            return None if source is None else source.path
        from pybuild.runtime.session.keyagent import KeyAgent

        with self._guard:
            agent = self._started.get(source.id)
            if agent is None:
                agent = KeyAgent(self._sockets.path(), source.keys, self._runner)
                self._started[source.id] = agent
            return agent.path

    def raw(self, id: str) -> bool:
        """Whether steps may ask everything of the agent, not only for its keys and for signatures."""
        source = self._sources.get(id or DEFAULT)
        return source is not None and source.raw

    def missing(self, id: str) -> str:
        """See `Agents`."""
        return f"unset ssh forward key {id or DEFAULT}"

    def close(self) -> None:
        """End the agents that were started. Idempotent."""
        with self._guard:
            started, self._started = self._started, {}
            for agent in started.values():
                agent.close()
        self._sockets.close()
