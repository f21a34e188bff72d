"""The flags of buildkitd, and which of them this daemon doesn't support."""

from __future__ import annotations

TEXT, MANY, SWITCH, NUMBER, MAYBE = "text", "many", "switch", "number", "maybe"
"""Kinds of flags. A switch stands alone or as `--flag=true`; MAYBE is true, false or auto, and may stand alone
too."""


class Flag:
    """A flag. `value` is the name of its value in the help. `refused` says what isn't supported; an empty value,
    `false` and `auto` are always accepted."""

    __slots__ = ("help", "kind", "refused", "value")

    def __init__(self, kind: str, help: str, *, value: str = "VALUE", refused: str = "") -> None:
        self.kind = kind
        self.help = help
        self.value = value
        self.refused = refused


_CONTAINERD = "there is no containerd worker: steps run under crun or runc, by the store of pybuild"
_CNI = "networks by CNI plugins are not supported: a step's network is made by pasta or slirp4netns"
_SNAPSHOTTER = "snapshotters of other processes are not supported"

FLAGS = {
    "addr": Flag(MANY, "Listen here: unix://PATH or tcp://HOST:PORT.", value="ADDRESS"),
    "root": Flag(TEXT, "Directory of the store.", value="DIR"),
    "config": Flag(TEXT, "Configuration file (buildkitd.toml).", value="FILE"),
    "debug": Flag(SWITCH, "Say more on standard error."),
    "trace": Flag(SWITCH, "Say all on standard error."),
    "log-format": Flag(TEXT, "Form of messages: text or json.", value="FORMAT"),
    "group": Flag(TEXT, "Group (name or number) that owns the unix sockets.", value="GROUP"),
    "debugaddr": Flag(
        TEXT, "Tell numbers and stacks of the daemon here, by HTTP (/debug/vars, /metrics).", value="ADDRESS"
    ),
    "insecure-tcp": Flag(
        SWITCH, "Listen at tcp:// without TLS off loopback, too: whoever reaches the port may build."
    ),
    "tlscert": Flag(TEXT, "Certificate of the daemon.", value="FILE"),
    "tlskey": Flag(TEXT, "Key of the certificate.", value="FILE"),
    "tlscacert": Flag(TEXT, "Authority that clients' certificates must be of.", value="FILE"),
    "allow-insecure-entitlement": Flag(
        MANY,
        "Entitlements that builds may be granted: network.host, security.insecure, device.",
        value="NAME",
    ),
    "otel-socket-path": Flag(
        TEXT, "Socket of the trace collector in steps; no traces are kept.", value="PATH"
    ),
    "cdi-disabled": Flag(SWITCH, "Give steps no devices."),
    "cdi-spec-dir": Flag(MANY, "Directories with specifications of devices.", value="DIR"),
    "save-cache-debug": Flag(SWITCH, "Not supported.", refused="debugging records of the cache are not kept"),
    "rootless": Flag(SWITCH, "Accepted: an ordinary user builds without root in any case."),
    "oci-worker": Flag(MAYBE, "Whether builds run here: true, false or auto.", value="BOOL"),
    "oci-worker-labels": Flag(MANY, "Labels of the worker.", value="KEY=VALUE"),
    "oci-worker-snapshotter": Flag(TEXT, "auto, overlayfs, fuse-overlayfs or native.", value="NAME"),
    "oci-worker-proxy-snapshotter-path": Flag(TEXT, "Not supported.", refused=_SNAPSHOTTER),
    "oci-worker-platform": Flag(MANY, "Platforms that the worker says it has.", value="PLATFORM"),
    "oci-worker-net": Flag(TEXT, "Network of steps: auto, bridge or host.", value="MODE"),
    "oci-cni-config-path": Flag(TEXT, "Used by no network here.", value="FILE"),
    "oci-cni-binary-dir": Flag(TEXT, "Used by no network here.", value="DIR"),
    "oci-cni-pool-size": Flag(NUMBER, "Used by no network here.", value="COUNT"),
    "oci-worker-binary": Flag(TEXT, "The OCI runtime: crun or runc.", value="PROGRAM"),
    "oci-worker-apparmor-profile": Flag(TEXT, "Not supported.", refused="AppArmor profiles are not applied"),
    "oci-worker-selinux": Flag(SWITCH, "Not supported.", refused="SELinux labels are not applied"),
    "oci-worker-rootless": Flag(SWITCH, "Accepted: an ordinary user builds without root in any case."),
    "oci-worker-no-process-sandbox": Flag(
        SWITCH, "Not supported.", refused="a step always has a pid namespace of its own"
    ),
    "oci-worker-gc": Flag(SWITCH, "Remove what was long not used (default: true)."),
    "oci-worker-gc-keepstorage": Flag(NUMBER, "Megabytes that are kept.", value="MB"),
    "oci-max-parallelism": Flag(TEXT, "Steps at a time; num-cpu for one a processor.", value="COUNT"),
    "containerd-worker": Flag(MAYBE, "Not supported.", refused=_CONTAINERD),
    "dns-nameserver": Flag(MANY, "Name servers of steps.", value="ADDRESS"),
    "dns-option": Flag(MANY, "Options of the resolver of steps.", value="OPTION"),
    "dns-search": Flag(MANY, "Search domains of steps.", value="DOMAIN"),
    "help": Flag(SWITCH, "Show this."),
    "version": Flag(SWITCH, "Print the version."),
}

_CONTAINERD_TEXTS = (
    "addr labels snapshotter platform net namespace apparmor-profile gc-keepstorage runtime rootless gc selinux "
    "max-parallelism proxy-snapshotter-path cgroup-parent"
)
IGNORED = frozenset(f"containerd-worker-{name}" for name in _CONTAINERD_TEXTS.split()) | {
    f"containerd-cni-{name}" for name in ("config-path", "binary-dir", "pool-size")
}
"""Flags of the containerd worker, ignored since there is none."""
SHORT = {"h": "help", "v": "version"}
