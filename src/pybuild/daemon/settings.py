"""What the daemon does, of its flags over its configuration file over buildkitd's defaults."""

from __future__ import annotations

import glob
import grp
import os

from attrs import frozen

from pybuild.daemon.gc_policies import GcPolicy, gc_policies
from pybuild.lang.diagnostics import UsageError
from pybuild.request.values import known
from pybuild.runtime.content.place import default_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pybuild.daemon.commandline import Given
    from pybuild.daemon.configtoml import DaemonFile, Registry

ENTITLEMENTS = ("network.host", "security.insecure", "device")
_SNAPSHOTTERS = {
    "auto": "",
    "overlayfs": "overlay",
    "overlay": "overlay",
    "fuse-overlayfs": "fuse-overlayfs",
    "native": "copy",
    "copy": "copy",
}
"""buildkitd's names of snapshotters, and ours."""
_NETWORKS = ("auto", "bridge", "host", "cni")


@frozen
class Settings:
    """`registries` are arguments of `RegistryConfig`; `max_age` and `history` limits are None for the defaults."""

    root: str
    addresses: tuple[str, ...]
    tls: tuple[str, str, str] = ("", "", "")
    """Files of certificate, key, and authority of the clients."""
    uid: int | None = None
    gid: int | None = None
    debug: bool = False
    debug_address: str = ""
    json_log: bool = False
    entitlements: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    platforms: tuple[str, ...] = ()
    snapshotter: str = ""
    network: str = "auto"
    runtime: str = ""
    parallelism: int = 0
    cgroup_parent: str = ""
    policies: tuple[GcPolicy, ...] = ()
    registries: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    dns: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]] = ((), (), ())
    """Name servers, options, search domains."""
    devices: tuple[str, ...] | None = None
    """Directories with specifications of devices; None for the usual ones."""
    allowed_devices: tuple[str, ...] = ()
    max_age: int | None = None
    """Nanoseconds."""
    max_entries: int | None = None
    frontends: tuple[str, ...] = ("dockerfile.v0", "gateway.v0")
    repositories: tuple[str, ...] = ()
    """Those that frontend images may come from; empty for all."""
    notices: tuple[str, ...] = ()


def settings_of(given: Given) -> Settings:
    """Raises UsageError."""
    path = str(given.get("config") or _default_config())
    file, notices = _file(path, explicit="config" in given)
    oci = file.worker.oci
    _refuse_file(file, path)
    if given.get("oci-worker", oci.enabled) is False:
        raise UsageError(
            "without its OCI worker the daemon has no worker", help="leave out --oci-worker=false"
        )
    root = os.path.abspath(str(given.get("root") or file.root or default_root()))
    network = known(str(given.get("oci-worker-net") or oci.network_mode or "auto"), _NETWORKS, "network")
    if network == "cni" or given.get("oci-cni-config-path") or oci.cni_config_path:
        notices.append(
            "networks by CNI plugins are not supported: steps get networks of their own by pasta or slirp4netns"
        )
    snapshotter = str(given.get("oci-worker-snapshotter") or oci.snapshotter or "auto")
    collect = bool(given.get("oci-worker-gc", oci.gc is not False))
    return Settings(
        root=root,
        addresses=tuple(_texts(given, "addr")) or tuple(file.grpc.address) or (default_address(),),
        tls=_tls(given, file),
        uid=file.grpc.uid,
        gid=_group(str(given["group"])) if given.get("group") else file.grpc.gid,
        debug=bool(given.get("debug", file.debug) or given.get("trace", file.trace)),
        debug_address=str(given.get("debugaddr") or file.grpc.debug_address),
        json_log=known(
            str(given.get("log-format") or file.log.format or "text"), ("text", "json"), "log format"
        )
        == "json",
        entitlements=_entitlements(_texts(given, "allow-insecure-entitlement") or file.entitlements),
        labels={**oci.labels, **_labels(_texts(given, "oci-worker-labels"))},
        platforms=_platforms(_texts(given, "oci-worker-platform") or oci.platforms),
        snapshotter=_SNAPSHOTTERS[known(snapshotter, tuple(_SNAPSHOTTERS), "snapshotter")],
        network=network,
        runtime=str(given.get("oci-worker-binary") or oci.binary),
        parallelism=_parallelism(given.get("oci-max-parallelism", oci.max_parallelism)),
        cgroup_parent=oci.default_cgroup_parent,
        policies=gc_policies(oci, root, _megabytes(given)) if collect else (),
        registries=_registries(file),
        dns=(
            tuple(_texts(given, "dns-nameserver") or file.dns.nameservers),
            tuple(_texts(given, "dns-option") or file.dns.options),
            tuple(_texts(given, "dns-search") or file.dns.search_domains),
        ),
        devices=_devices(given, file),
        allowed_devices=tuple(file.cdi.auto_allowed),
        max_age=file.history.max_age if file.history else None,
        max_entries=file.history.max_entries if file.history else None,
        frontends=_frontends(file),
        repositories=tuple(file.frontend.gateway.allowed_repositories),
        notices=tuple(notices),
    )


def default_address() -> str:
    """Where clients look for the daemon: `/run/buildkit` for root, else a directory of the user's."""
    if os.geteuid() == 0:
        return "unix:///run/buildkit/buildkitd.sock"
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    return f"unix://{runtime}/buildkit/buildkitd.sock"


def _default_config() -> str:
    if os.geteuid() == 0:
        return "/etc/buildkit/buildkitd.toml"
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(home, "buildkit", "buildkitd.toml")


def _file(path: str, *, explicit: bool) -> tuple[DaemonFile, list[str]]:
    """The configuration, and what is to be said of it: as with buildkitd, a file that isn't there is no error."""
    from pybuild.daemon.configtoml import DaemonFile, load
    from pybuild.lang.source import Source
    from pybuild.request.config.tomlfile import read_text

    text = read_text(path)
    if text is None:
        return DaemonFile(), [f"there is no configuration file {path}"] if explicit else []
    return load(Source(path, text)), []


def _refuse_file(file: DaemonFile, path: str) -> None:
    """Raises UsageError for what the file asks for and this daemon doesn't do."""
    oci = file.worker.oci
    for asked, key, why in (
        (file.worker.containerd.enabled, "worker.containerd.enabled", "there is no containerd worker"),
        (
            oci.no_process_sandbox,
            "worker.oci.noProcessSandbox",
            "a step always has a pid namespace of its own",
        ),
        (
            oci.proxy_snapshotter_path,
            "worker.oci.proxySnapshotterPath",
            "snapshotters of other processes are not used",
        ),
        (oci.apparmor_profile, "worker.oci.apparmor-profile", "AppArmor profiles are not applied"),
        (oci.selinux, "worker.oci.selinux", "SELinux labels are not applied"),
    ):
        if asked:
            raise UsageError(f"{path}: {key} is not supported: {why}", help="remove the key")


def _texts(given: Given, name: str) -> list[str]:
    found = given.get(name)
    return found if isinstance(found, list) else []


def _tls(given: Given, file: DaemonFile) -> tuple[str, str, str]:
    cert = str(given.get("tlscert") or file.grpc.tls.cert)
    key = str(given.get("tlskey") or file.grpc.tls.key)
    authority = str(given.get("tlscacert") or file.grpc.tls.ca)
    if bool(cert) != bool(key):
        raise UsageError(
            "you must specify key and cert file if one is specified", help="give --tlscert and --tlskey"
        )
    return cert, key, authority


def _group(text: str) -> int:
    if text.isdecimal():
        return int(text)
    try:
        return grp.getgrnam(text).gr_gid
    except KeyError:
        raise UsageError(
            f"there is no group {text!r}", help="give --group the name or the number of one"
        ) from None


def _entitlements(texts: Sequence[str]) -> tuple[str, ...]:
    for text in texts:
        if text not in ENTITLEMENTS:
            raise UsageError(f"invalid entitlement : {text}", help="known are " + ", ".join(ENTITLEMENTS))
    return tuple(dict.fromkeys(texts))


def _labels(texts: Sequence[str]) -> dict[str, str]:
    out = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--oci-worker-labels: invalid value {text}", help="write KEY=VALUE")
        out[key] = value
    return out


def _platforms(texts: Sequence[str]) -> tuple[str, ...]:
    from pybuild.compiler.platforms import BadPlatform, parse

    for text in texts:
        try:
            parse(text)
        except BadPlatform as error:
            raise UsageError(error.diagnostic) from None
    return tuple(texts)


def _parallelism(value: object) -> int:
    text = str(value)
    if text == "num-cpu":
        return len(os.sched_getaffinity(0))
    if not text.isdecimal():
        raise UsageError(f"invalid max-parallelism {text!r}", help="give a number of steps, or num-cpu")
    return int(text)


def _megabytes(given: Given) -> int | None:
    found = given.get("oci-worker-gc-keepstorage")
    return None if found is None else int(str(found)) * 1_000_000


def _registries(file: DaemonFile) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    return tuple((host, _registry(one)) for host, one in file.registries.items())


def _registry(one: Registry) -> dict[str, Any]:
    authorities, pairs = list(one.ca), [(pair.key, pair.cert) for pair in one.keypair]
    for directory in one.tls_directories:
        for path in sorted(glob.glob(os.path.join(glob.escape(directory), "*"))):
            stem, kind = os.path.splitext(path)
            if kind == ".crt":
                authorities.append(path)
            elif kind == ".cert":
                pairs.append((f"{stem}.key", path))
    return {
        "mirrors": tuple(one.mirrors),
        "http": one.http,
        "insecure": one.insecure,
        "ca": tuple(authorities),
        "keypair": tuple(pairs),
    }


def _devices(given: Given, file: DaemonFile) -> tuple[str, ...] | None:
    if given.get("cdi-disabled", file.cdi.disabled):
        return ()
    found = _texts(given, "cdi-spec-dir") or file.cdi.spec_dirs
    return None if found is None else tuple(found)


def _frontends(file: DaemonFile) -> tuple[str, ...]:
    tables = (("dockerfile.v0", file.frontend.dockerfile), ("gateway.v0", file.frontend.gateway))
    return tuple(name for name, table in tables if table.enabled)
