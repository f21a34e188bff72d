"""Networks of steps: made ahead of need, used by one step at a time, and reused by later ones.

A private network is a network namespace with a tap device, served by pasta (or slirp4netns) from outside. Through
it a step reaches everything that this machine reaches, from an address of its own, but nothing on this machine's
loopback. Making one takes about 50 ms, so a pool keeps them.

Reuse is sound, as a step leaves nothing in its network. Its processes and with them its sockets (listening and
abstract Unix ones too) end with its pid namespace before the runtime reports the end. Changing interfaces,
addresses, routes or filters takes CAP_NET_ADMIN, which a step lacks, and network sysctls are read-only. The
network of a step that has the capability is thrown away.
"""

from __future__ import annotations

import os
import threading

from pybuild.compiler.ops import NetMode
from pybuild.runtime.sandbox.environments import here
from pybuild.runtime.sandbox.errors import SandboxError
from pybuild.runtime.sandbox.files import read_host_resolv_conf, resolv_conf, with_dns
from pybuild.runtime.sandbox.find import find_program, install_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.runtime.sandbox.runner import Child, Runner
    from pybuild.runtime.sandbox.surroundings import Dns

ADDRESS = "10.177.83.2"
GATEWAY = "10.177.83.1"
RESOLVER = "10.177.83.3"
_PREFIX = "24"
"""Addresses of a step's network. Any private range would do; this one is unlikely to be in use around the host."""

ADDRESS6 = "fd17:b1d:83::2"
GATEWAY6 = "fd17:b1d:83::1"

TUN = "/dev/net/tun"
TOOLS = ("pasta", "slirp4netns")
"""The programs that serve private networks, the preferred one first."""
_START_SECONDS = 10.0


class Network:
    """The network of one step. `path` is that of its namespace, as in `spec.StepContext.netns`; `resolv_conf` is
    the text of the step's /etc/resolv.conf."""

    __slots__ = ("_tool", "path", "resolv_conf")

    def __init__(self, path: str | None, resolv_conf: str, tool: Child | None = None) -> None:
        self.path = path
        self.resolv_conf = resolv_conf
        self._tool = tool

    @property
    def pooled(self) -> bool:
        """Report whether it is a private network, which a pool may keep."""
        return self._tool is not None

    @property
    def alive(self) -> bool:
        """Report whether the tool that serves the network is still running."""
        return self._tool is not None and self._tool.wait(0) is None

    def end(self) -> None:
        """End the tool that serves it."""
        if self._tool is not None:
            self._tool.kill()
            self._tool.wait()
            self._tool.close()


class NetworkPool:
    """Hands out networks. Thread-safe. `directory` is for its own files.

    Where neither pasta nor slirp4netns works, the default network is the host's, and `notice` is called once with
    the reason. With `isolate` that is an error instead. It also is one after a private network has been made: no
    build runs some steps isolated and others not. With `host` the default network is the host's in any case.
    """

    def __init__(
        self,
        runner: Runner,
        directory: str,
        *,
        notice: Callable[[str], None],
        isolate: bool = False,
        host: bool = False,
        dns: Dns | None = None,
    ) -> None:
        self._runner = runner
        self._directory = directory
        self._notice = notice
        self._isolate = isolate
        self._changed = threading.Condition()
        self._idle: list[Network] = []
        self._starting = 0
        self._waiting = 0
        self._count = 0
        self._refusal: SandboxError | None = None
        self._worked = False
        self._noticed = False
        self._closed = False
        self._host = host
        self._host_conf = with_dns(read_host_resolv_conf(), dns)
        self._private_conf = resolv_conf(self._host_conf, RESOLVER)

    def prefetch(self, count: int = 1) -> None:
        """Begin to make networks in the background, so that `count` are idle or under construction."""
        with self._changed:
            missing = count - len(self._idle) - self._starting
            if self._host or self._closed or self._refusal is not None or missing <= 0:
                return
            self._starting += missing
        for _ in range(missing):
            threading.Thread(target=self._start, name="network", daemon=True).start()

    def take(self, mode: NetMode) -> Network:
        """Return a network for a step, to be given back after it. Raises SandboxError when it has to be a private
        one and none can be made."""
        if mode == NetMode.HOST or (self._host and mode == NetMode.UNSET):
            return Network(None, self._host_conf or self._private_conf)
        if mode == NetMode.NONE:
            return Network("", self._private_conf)
        return self._take_private() or self._host_instead()

    def give_back(self, network: Network, *, reusable: bool) -> None:
        """Take back a network whose step has ended. It is not `reusable` if the step could have changed it."""
        if not network.pooled:
            return
        with self._changed:
            if reusable and not self._closed and network.alive:
                self._idle.append(network)
                self._changed.notify()
                return
        self._end(network)

    def close(self) -> None:
        """End every idle network, after waiting for those under construction. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._starting == 0)
            idle, self._idle = self._idle, []
        for network in idle:
            self._end(network)

    def _take_private(self) -> Network | None:
        """An idle network, or the next one to be ready; None after a failure to make one."""
        with self._changed:
            while True:
                while self._idle:
                    network = self._idle.pop()
                    if network.alive:
                        return network
                    self._end(network)
                if self._refusal is not None:
                    return None
                # One that is being made may be for another waiter: start as many as there are waiters.
                if self._waiting >= self._starting:
                    self._starting += 1
                    threading.Thread(target=self._start, name="network", daemon=True).start()
                self._waiting += 1
                self._changed.wait()
                self._waiting -= 1

    def _start(self) -> None:
        network, refusal = None, None
        try:
            network = self._make()
        except SandboxError as error:
            refusal = error
        except OSError as error:
            refusal = SandboxError(str(error))
        with self._changed:
            self._starting -= 1
            if network is not None:
                self._idle.append(network)
                self._worked = True
            else:
                self._refusal = refusal or SandboxError("unknown")
            self._changed.notify_all()

    def _host_instead(self) -> Network:
        with self._changed:
            refusal, noticed, self._noticed = self._refusal, self._noticed, True
        assert refusal is not None
        title = refusal.diagnostic.title
        way = next((text for kind, text in refusal.diagnostic.notes if kind == "help"), "")
        if self._isolate or self._worked:
            allowed = "allow the host's network (network.isolate = false)"
            raise SandboxError(
                f"no private network for the step: {title}", help=f"{way}; or {allowed}" if way else allowed
            )
        if not noticed:
            self._notice(f"steps use the host's network: {title}" + (f" ({way})" if way else ""))
        return Network(None, self._host_conf or self._private_conf)

    def _make(self) -> Network:
        with self._changed:
            self._count += 1
            name = str(self._count)
        path = os.path.join(self._directory, f"net-{name}")
        command = _tool(path)
        # The namespace is bound at this file, which keeps it alive without a process in it.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._runner.make_netns(path)
        try:
            tool = self._serve(command)
        except BaseException:
            self._drop(path)
            raise
        return Network(path, self._private_conf, tool)

    def _serve(self, command: list[str]) -> Child:
        """Start the tool and wait until the network works. Either tool writes to a descriptor of the caller's
        choice when it is ready; the runner passes on three, so here that is standard input."""
        ready_read, ready_write = os.pipe()
        log_read, log_write = os.pipe()
        null = os.open(os.devnull, os.O_RDWR)
        try:
            tool = self._runner.spawn(
                command, env={"PATH": os.defpath}, stdin=ready_write, stdout=null, stderr=log_write
            )
            os.close(ready_write)
            os.close(log_write)
            ready_write = log_write = -1  # only the tool has them open, so that its end shows
            if _wait(ready_read):
                return tool
            tool.kill()
            tool.wait()
            tool.close()
            reason = os.read(log_read, 4096).decode("utf-8", "replace").strip()
            name = os.path.basename(command[0])
            raise SandboxError(f"{name} failed: {reason.splitlines()[-1] if reason else 'no answer'}")
        finally:
            for fd in (ready_read, ready_write, log_read, log_write, null):
                if fd >= 0:
                    os.close(fd)

    def _end(self, network: Network) -> None:
        network.end()
        if network.path:
            self._drop(network.path)

    def _drop(self, path: str) -> None:
        self._runner.drop_netns(path)
        os.unlink(path)


def _wait(ready: int) -> bool:
    """Wait until the tool is ready. Returns false if it ended or took too long."""
    import select

    poll = select.poll()
    poll.register(ready, select.POLLIN)
    # Readable without data: the tool has ended.
    return bool(poll.poll(_START_SECONDS * 1000)) and bool(os.read(ready, 16))


def _tool(netns: str) -> list[str]:
    """The command that serves the namespace at `netns`. Raises SandboxError if there is no program for it."""
    program = helper()
    if program is None:
        raise SandboxError(
            "neither pasta nor slirp4netns is installed", help=f"install it: {install_command('passt')}"
        )
    if not os.path.exists(TUN):
        place = here()
        raise SandboxError(f"this {place.title} has no {TUN}", help=place.tun)
    if not os.access(TUN, os.R_OK | os.W_OK):
        raise SandboxError(f"{os.path.basename(program)} can't open {TUN}", help=f"as root: chmod 666 {TUN}")
    command = _pasta if os.path.basename(program) == TOOLS[0] else _slirp
    return command(program, netns)


def helper() -> str | None:
    """Return the path of the program that serves private networks here, None if there is none."""
    return next((path for path in map(find_program, TOOLS) if path is not None), None)


def _pasta(program: str, netns: str) -> list[str]:
    """The command of pasta. With `--runas 0:0` it stays root, as it could not enter the namespace otherwise, but
    it drops every capability and confines itself to namespaces of its own. No port is forwarded, in either
    direction."""
    return [
        *(program, "--foreground", "--quiet", "--config-net", "--netns", netns, "--runas", "0:0"),
        *("--address", ADDRESS, "--netmask", _PREFIX, "--gateway", GATEWAY),
        *("--address", ADDRESS6, "--gateway", GATEWAY6),
        *("--dns-forward", RESOLVER, "--no-map-gw", "--ns-ifname", "eth0"),
        *("-t", "none", "-u", "none", "-T", "none", "-U", "none"),
        *("--pid", "/proc/self/fd/0"),
    ]


def _slirp(program: str, netns: str) -> list[str]:
    """The command of slirp4netns. Its resolver is always the third address of the network, which is RESOLVER."""
    return [
        *(program, "--netns-type=path", "--configure", "--mtu=65520", "--disable-host-loopback"),
        *(f"--cidr={GATEWAY.rpartition('.')[0]}.0/{_PREFIX}", "--ready-fd=0", netns, "eth0"),
    ]
