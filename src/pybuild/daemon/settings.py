"""Settings of the daemon: its flags over its configuration file over buildkitd's defaults."""

from __future__ import annotations

import glob
import grp
import os

from attrs import frozen

from pybuild.daemon.policies import GcPolicy, gc_policies
from pybuild.lang.diagnostics import UsageError
from pybuild.request.values import known
from pybuild.runtime.content.place import default_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pybuild.daemon.commandline import Given
    from pybuild.request.config.schema import Section

ENTITLEMENTS = ("network.host", "security.insecure", "device")
_SNAPSHOTTERS = {
    "auto": "",
    "overlayfs": "overlay",
    "overlay": "overlay",
    "fuse-overlayfs": "fuse-overlayfs",
    "native": "copy",
    "copy": "copy",
}
"""buildkitd's names of snapshotters, and pybuild's."""
FRONTENDS = ("dockerfile.v0", "gateway.v0")
_NETWORKS = ("auto", "bridge", "host", "cni")


@frozen
class Settings:
    """`registries` are arguments of `RegistryConfig`; `max_age` and `history` limits are None for the defaults."""

    root: str
    addresses: tuple[str, ...]
    tls: tuple[str, str, str] = ("", "", "")
    """PEM files: certificate, key, and the authority of the clients' certificates."""
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
    """Directories with CDI specifications; None for the default ones."""
    allowed_devices: tuple[str, ...] = ()
    max_age: int | None = None
    """Nanoseconds."""
    max_entries: int | None = None
    frontends: tuple[str, ...] = FRONTENDS
    repositories: tuple[str, ...] = ()
    """Repositories that frontend images may come from; empty for all."""
    notices: tuple[str, ...] = ()


def settings_of(given: Given) -> Settings:
    """Return the settings. Raises UsageError for a flag or a file that is wrong or asks for what the daemon lacks."""
    path = str(given.get("config") or _default_config())
    file, notices = _file(path, explicit="config" in given)
    oci = file["worker"]["oci"]
    if given.get("oci-worker", oci["enabled"]) is False:
        raise UsageError(
            "without its OCI worker the daemon has no worker", help="leave out --oci-worker=false"
        )
    history = file["history"]
    root = os.path.abspath(str(given.get("root") or file["root"] or default_root()))
    network = known(str(given.get("oci-worker-net") or oci["networkMode"] or "auto"), _NETWORKS, "network")
    if network == "cni" or given.get("oci-cni-config-path") or oci["cniConfigPath"]:
        notices.append(
            "networks by CNI plugins are not supported: steps get networks of their own by pasta or slirp4netns"
        )
    snapshotter = str(given.get("oci-worker-snapshotter") or oci["snapshotter"] or "auto")
    collect = bool(given.get("oci-worker-gc", oci["gc"] is not False))
    return Settings(
        root=root,
        addresses=tuple(_texts(given, "addr")) or file["grpc"]["address"] or (default_address(),),
        tls=_tls(given, file),
        uid=file["grpc"]["uid"],
        gid=_group(str(given["group"])) if given.get("group") else file["grpc"]["gid"],
        debug=bool(given.get("debug", file["debug"]) or given.get("trace", file["trace"])),
        debug_address=str(given.get("debugaddr") or file["grpc"]["debugAddress"]),
        json_log=known(
            str(given.get("log-format") or file["log"]["format"] or "text"), ("text", "json"), "log format"
        )
        == "json",
        entitlements=_entitlements(
            _texts(given, "allow-insecure-entitlement") or file["insecure-entitlements"]
        ),
        labels={**oci["labels"], **_labels(_texts(given, "oci-worker-labels"))},
        platforms=_platforms(_texts(given, "oci-worker-platform") or oci["platforms"]),
        snapshotter=_SNAPSHOTTERS[known(snapshotter, tuple(_SNAPSHOTTERS), "snapshotter")],
        network=network,
        runtime=str(given.get("oci-worker-binary") or oci["binary"]),
        parallelism=_parallelism(given.get("oci-max-parallelism", oci["max-parallelism"])),
        cgroup_parent=oci["defaultCgroupParent"],
        policies=gc_policies(oci, root, _kept_bytes(given)) if collect else (),
        registries=tuple((host, _registry(section)) for host, section in file["registry"].items()),
        dns=(
            tuple(_texts(given, "dns-nameserver") or file["dns"]["nameservers"]),
            tuple(_texts(given, "dns-option") or file["dns"]["options"]),
            tuple(_texts(given, "dns-search") or file["dns"]["searchDomains"]),
        ),
        devices=_devices(given, file),
        allowed_devices=file["cdi"]["autoAllowed"],
        max_age=history["maxAge"] if history is not None else None,
        max_entries=history["maxEntries"] if history is not None else None,
        frontends=tuple(name for name in FRONTENDS if file["frontend"][name]["enabled"]),
        repositories=file["frontend"]["gateway.v0"]["allowedRepositories"],
        notices=tuple(notices),
    )


def default_address() -> str:
    """Return where clients look for the daemon: `/run/buildkit` for root, else the user's runtime directory."""
    if os.geteuid() == 0:
        return "unix:///run/buildkit/buildkitd.sock"
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    return f"unix://{runtime}/buildkit/buildkitd.sock"


def _default_config() -> str:
    if os.geteuid() == 0:
        return "/etc/buildkit/buildkitd.toml"
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(home, "buildkit", "buildkitd.toml")


def _file(path: str, *, explicit: bool) -> tuple[Section, list[str]]:
    """Return the configuration and notices about it. As with buildkitd, a missing file is no error."""
    from pybuild.daemon.daemon_file import DAEMON_FILE
    from pybuild.lang.source import Source
    from pybuild.request.config.schema import Section, read
    from pybuild.request.config.tomlfile import read_text

    text = read_text(path)
    if text is None:
        return Section(DAEMON_FILE), [f"there is no configuration file {path}"] if explicit else []
    return read(Source(path, text), DAEMON_FILE, lenient=True), []


def _texts(given: Given, name: str) -> list[str]:
    texts = given.get(name)
    return texts if isinstance(texts, list) else []


def _tls(given: Given, file: Section) -> tuple[str, str, str]:
    cert = str(given.get("tlscert") or file["grpc"]["tls"]["cert"])
    key = str(given.get("tlskey") or file["grpc"]["tls"]["key"])
    authority = str(given.get("tlscacert") or file["grpc"]["tls"]["ca"])
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


def _kept_bytes(given: Given) -> int | None:
    megabytes = given.get("oci-worker-gc-keepstorage")
    return None if megabytes is None else int(str(megabytes)) * 1_000_000


def _registry(section: Section) -> dict[str, Any]:
    """Return the arguments of `RegistryConfig`, with the files of the directories of certificates."""
    from pybuild.request.config.user_file import registry_settings

    settings = registry_settings(section)
    for directory in section["tlsconfigdir"]:
        for path in sorted(glob.glob(os.path.join(glob.escape(directory), "*"))):
            stem, kind = os.path.splitext(path)
            if kind == ".crt":
                settings["ca"] += (path,)
            elif kind == ".cert":
                settings["keypair"] += ((f"{stem}.key", path),)
    return settings


def _devices(given: Given, file: Section) -> tuple[str, ...] | None:
    if given.get("cdi-disabled", file["cdi"]["disabled"]):
        return ()
    return tuple(_texts(given, "cdi-spec-dir")) or file["cdi"]["specDirs"]
