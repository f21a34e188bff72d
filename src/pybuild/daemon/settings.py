"""Settings of the daemon: its flags over its configuration file over buildkitd's defaults."""

from __future__ import annotations

import glob
import os

from attrs import frozen

from pybuild.daemon import values
from pybuild.daemon.gc_policies import GcPolicy, gc_policies
from pybuild.lang.diagnostics import UsageError
from pybuild.runtime.content.place import default_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from pybuild.daemon.commandline import FlagValues
    from pybuild.request.config.schema import Section

FRONTENDS = ("dockerfile.v0", "gateway.v0")


@frozen
class Settings:
    """`registries` are arguments of `RegistryConfig`; `max_age` and `history` limits are None for the defaults."""

    root: str
    addresses: tuple[str, ...]
    tls: tuple[str, str, str] = ("", "", "")
    """PEM files: certificate, key, and the authority of the clients' certificates."""
    insecure_tcp: bool = False
    """True lets the daemon listen without TLS off loopback."""
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


def settings_of(flags: FlagValues) -> Settings:
    """Return the settings. Raises UsageError for a flag or a file that is wrong or asks for what the daemon lacks."""
    path = str(flags.get("config") or _default_config())
    file, notices = _file(path, explicit="config" in flags)
    oci = file["worker"]["oci"]
    if flags.get("oci-worker", oci["enabled"]) is False:
        raise UsageError(
            "without its OCI worker the daemon has no worker", help="leave out --oci-worker=false"
        )
    history = file["history"]
    root = os.path.abspath(str(flags.get("root") or file["root"] or default_root()))
    network = _word(flags, "oci-worker-net", values.network, oci["networkMode"])
    if network == "cni" or flags.get("oci-cni-config-path") or oci["cniConfigPath"]:
        notices.append(
            "networks by CNI plugins are not supported: steps get networks of their own by pasta or slirp4netns"
        )
    collect = bool(flags.get("oci-worker-gc", oci["gc"] is not False))
    return Settings(
        root=root,
        addresses=tuple(_texts(flags, "addr")) or file["grpc"]["address"] or (default_address(),),
        tls=_tls(flags, file),
        insecure_tcp=bool(flags.get("insecure-tcp")),
        uid=file["grpc"]["uid"],
        gid=values.group(str(flags["group"])) if flags.get("group") else file["grpc"]["gid"],
        debug=bool(flags.get("debug", file["debug"]) or flags.get("trace", file["trace"])),
        debug_address=str(flags.get("debugaddr") or file["grpc"]["debugAddress"]),
        json_log=_word(flags, "log-format", values.log_format, file["log"]["format"]) == "json",
        entitlements=values.entitlements(_texts(flags, "allow-insecure-entitlement"))
        or file["insecure-entitlements"],
        labels={**oci["labels"], **values.labels(_texts(flags, "oci-worker-labels"))},
        platforms=values.platforms(_texts(flags, "oci-worker-platform")) or oci["platforms"],
        snapshotter=_word(flags, "oci-worker-snapshotter", values.snapshotter, oci["snapshotter"]),
        network=network,
        runtime=str(flags.get("oci-worker-binary") or oci["binary"]),
        parallelism=values.parallelism(flags.get("oci-max-parallelism", oci["max-parallelism"])),
        cgroup_parent=oci["defaultCgroupParent"],
        policies=gc_policies(oci, root, _reserved_bytes(flags)) if collect else (),
        registries=tuple((host, _registry(section)) for host, section in file["registry"].items()),
        dns=(
            tuple(_texts(flags, "dns-nameserver") or file["dns"]["nameservers"]),
            tuple(_texts(flags, "dns-option") or file["dns"]["options"]),
            tuple(_texts(flags, "dns-search") or file["dns"]["searchDomains"]),
        ),
        devices=_devices(flags, file),
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


def _texts(flags: FlagValues, name: str) -> list[str]:
    texts = flags.get(name)
    return texts if isinstance(texts, list) else []


def _word(flags: FlagValues, name: str, convert: Callable[[str], str], default: str) -> str:
    """Return the converted value of a flag, or `default` if the flag isn't given or is empty."""
    text = flags.get(name)
    return convert(str(text)) if text else default


def _tls(flags: FlagValues, file: Section) -> tuple[str, str, str]:
    cert = str(flags.get("tlscert") or file["grpc"]["tls"]["cert"])
    key = str(flags.get("tlskey") or file["grpc"]["tls"]["key"])
    authority = str(flags.get("tlscacert") or file["grpc"]["tls"]["ca"])
    if bool(cert) != bool(key):
        raise UsageError(
            "you must specify key and cert file if one is specified", help="give --tlscert and --tlskey"
        )
    return cert, key, authority


def _reserved_bytes(flags: FlagValues) -> int | None:
    megabytes = flags.get("oci-worker-gc-keepstorage")
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


def _devices(flags: FlagValues, file: Section) -> tuple[str, ...] | None:
    if flags.get("cdi-disabled", file["cdi"]["disabled"]):
        return ()
    return tuple(_texts(flags, "cdi-spec-dir")) or file["cdi"]["specDirs"]
