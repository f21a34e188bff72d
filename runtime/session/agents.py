"""SSH agents of a command line: existing sockets, and agents started for private key files.

An OpenSSH `ssh-agent` serves the keys of one id for the time of the build. Under the runner it dies with the build in
any case; without, it ends with the process that it was told to start (`keyagent.py`).
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
    """The agent `id`: the socket `path`, or an agent for the private key files `keys`. With `raw`, steps may send
    it any request."""

    __slots__ = ("id", "keys", "path", "raw")

    def __init__(
        self, id: str, *, path: str | None = None, keys: Iterable[str] = (), raw: bool = False
    ) -> None:
        self.id = id or DEFAULT
        self.path = path
        self.keys = tuple(keys)
        self.raw = raw


def parse(text: str) -> AgentSource:
    """Parse `ID[=SOCKET|KEY[,KEY…][,raw=true]]`. Without a path, the source is the socket that SSH_AUTH_SOCK names.
    Raises UsageError, also for a missing file and one that is neither socket nor key."""
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
    """Parse several flags. Raises UsageError, also for two with the same id."""
    sources: dict[str, AgentSource] = {}
    for text in texts:
        source = parse(text)
        if source.id in sources:
            raise UsageError(f"--ssh {text}: duplicate agent ID {source.id!r}", help="give each agent an ID")
        sources[source.id] = source
    return list(sources.values())


def named(text: str) -> tuple[str, ...] | None:
    """Return the files that decide whether a flag is valid, as it names them; None if anything else decides too. The
    flag must be one that `parse` takes."""
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
    """The agents of `sources`. Thread-safe. `directory` is that of `Sockets`. Close it."""

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
        """Return the socket of an agent, started if need be; see `Agents`."""
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
        """Report whether steps may send the agent any request, and not only list keys and sign."""
        source = self._sources.get(id or DEFAULT)
        return source is not None and source.raw

    def missing(self, id: str) -> str:
        """Return BuildKit's message for an agent that isn't there."""
        return f"unset ssh forward key {id or DEFAULT}"

    def close(self) -> None:
        """End the started agents. Idempotent."""
        with self._guard:
            started, self._started = self._started, {}
            for agent in started.values():
                agent.close()
        self._sockets.close()
