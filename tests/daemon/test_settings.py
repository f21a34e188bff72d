"""What the daemon does, of its flags over its file over the defaults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pybuild.daemon.commandline import parse
from pybuild.daemon.settings import Settings, settings_of
from pybuild.lang.diagnostics import UsageError
from pybuild.runtime.registry.hosts import Hosts, RegistryConfig

FILE = """
debug = true
root = "/file/root"
insecure-entitlements = ["network.host", "security.insecure"]
tracing = { what = "nobody knows" }

[log]
format = "json"

[grpc]
address = ["unix:///file.sock", "tcp://127.0.0.1:1"]
uid = 7
gid = 8
[grpc.tls]
cert = "/file/cert"
key = "/file/key"
ca = "/file/ca"

[otel]
socketPath = "/otel.sock"

[cdi]
specDirs = ["/cdi"]
autoAllowed = ["vendor.com/class=one"]

[history]
maxAge = "3h"
maxEntries = 5

[worker.oci]
enabled = true
networkMode = "host"
snapshotter = "native"
max-parallelism = 3
defaultCgroupParent = "/builds"
gc = false
[worker.oci.labels]
one = "1"
two = "2"

[worker.containerd]
enabled = false

[registry."docker.io"]
mirrors = ["mirror.example/path"]
http = true
[registry."other.example:5000"]
insecure = true
ca = ["/a.pem"]
[[registry."other.example:5000".keypair]]
key = "/k.pem"
cert = "/c.pem"

[dns]
nameservers = ["1.1.1.1"]
options = ["edns0"]
searchDomains = ["example.com"]

[frontend."dockerfile.v0"]
enabled = false
[frontend."gateway.v0"]
allowedRepositories = ["example.com/frontend"]

[surprise]
key = 1
"""


def settings(tmp_path: Path, *words: str, file: str = "") -> Settings:
    path = tmp_path / "buildkitd.toml"
    path.write_text(file)
    return settings_of(parse(["--config", str(path), *words]))


def test_the_file(tmp_path: Path) -> None:
    found = settings(tmp_path, file=FILE)
    assert found.root == "/file/root"
    assert found.addresses == ("unix:///file.sock", "tcp://127.0.0.1:1")
    assert (found.uid, found.gid, found.tls) == (7, 8, ("/file/cert", "/file/key", "/file/ca"))
    assert (found.debug, found.json_log, found.policies) == (True, True, ())
    assert found.entitlements == ("network.host", "security.insecure")
    assert (found.devices, found.allowed_devices) == (("/cdi",), ("vendor.com/class=one",))
    assert (found.max_age, found.max_entries) == (3 * 3600 * 10**9, 5)
    assert (found.network, found.snapshotter, found.parallelism) == ("host", "copy", 3)
    assert (found.cgroup_parent, found.labels) == ("/builds", {"one": "1", "two": "2"})
    assert found.dns == (("1.1.1.1",), ("edns0",), ("example.com",))
    assert (found.frontends, found.repositories) == (("gateway.v0",), ("example.com/frontend",))


def test_registries(tmp_path: Path) -> None:
    found = settings(tmp_path, file=FILE)
    hosts = Hosts(RegistryConfig(host, **given) for host, given in found.registries)
    mirror, origin = hosts.endpoints("docker.io")
    assert (mirror.host, mirror.path("x"), origin.schemes) == ("mirror.example", "path/x", ("http",))
    other = hosts.config("other.example:5000")
    assert (other.insecure, other.ca, other.keypair) == (True, ("/a.pem",), (("/k.pem", "/c.pem"),))


def test_directories_of_certificates(tmp_path: Path) -> None:
    directory = tmp_path / "certs"
    directory.mkdir()
    for name in ("a.crt", "b.cert", "b.key", "README"):
        (directory / name).touch()
    file = f'[registry."r.example"]\ntlsconfigdir = ["{directory}"]\n'
    ((_, given),) = settings(tmp_path, file=file).registries
    assert given["ca"] == (f"{directory}/a.crt",)
    assert given["keypair"] == ((f"{directory}/b.key", f"{directory}/b.cert"),)


def test_flags_are_over_the_file(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        *("--addr=unix:///a.sock", "--addr", "unix:///b.sock", "--root", "/flag", "--debug=false"),
        *("--oci-worker-labels=two=II", "--oci-worker-labels", "three=3", "--oci-worker-net", "bridge"),
        *("--allow-insecure-entitlement", "device", "--oci-worker-gc", "--oci-worker-gc-keepstorage=7"),
        *(
            "--oci-worker-snapshotter=overlayfs",
            "--oci-max-parallelism=num-cpu",
            "--dns-search=a",
            "--cdi-disabled",
        ),
        *(
            "--log-format=text",
            "--group=5",
            "--tlscert=/c",
            "--tlskey=/k",
            "--oci-worker-platform=linux/arm64",
        ),
        file=FILE,
    )
    assert found.addresses == ("unix:///a.sock", "unix:///b.sock")
    assert (found.root, found.debug, found.json_log, found.gid) == ("/flag", False, False, 5)
    assert found.labels == {"one": "1", "two": "II", "three": "3"}
    assert (found.network, found.snapshotter, found.entitlements) == ("bridge", "overlay", ("device",))
    assert found.parallelism >= 1
    assert found.policies[-1].reserved_space == 7_000_000
    assert found.dns == (("1.1.1.1",), ("edns0",), ("a",))
    assert (found.devices, found.platforms) == ((), ("linux/arm64",))
    assert found.tls == ("/c", "/k", "/file/ca")


def test_keys_in_lower_case_count(tmp_path: Path) -> None:
    file = '[worker.oci]\nnetworkmode = "host"\n[history]\nmaxentries = 3\n'
    found = settings(tmp_path, file=file)
    assert (found.network, found.max_entries) == ("host", 3)


def test_a_file_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    found = settings_of(parse(["--config", str(missing)]))
    assert found.notices == (f"there is no configuration file {missing}",)


def test_networks_of_plugins_are_told_of(tmp_path: Path) -> None:
    (notice,) = settings(tmp_path, "--oci-worker-net=cni").notices
    assert "CNI" in notice


@pytest.mark.parametrize(
    ("words", "file", "said"),
    [
        ((), "debug = 3", "debug must be true or false"),
        ((), "= 3", "is not TOML"),
        ((), "[worker.containerd]\nenabled = true", "worker.containerd.enabled is not supported"),
        ((), "[worker.oci]\nnoProcessSandbox = true", "worker.oci.noProcessSandbox is not supported"),
        ((), '[worker.oci]\nnetworkMode = "brigde"', "unknown network 'brigde'"),
        ((), '[worker.oci]\n[[worker.oci.gcpolicy]]\nkeepDuration = "soon"', "keepDuration"),
        ((), '[worker.oci]\n[[worker.oci.gcpolicy]]\nkeepBytes = "much"', "invalid disk space much"),
        ((), 'insecure-entitlements = ["all"]', "invalid entitlement : all"),
        (("--allow-insecure-entitlement=all",), "", "invalid entitlement : all"),
        (("--oci-worker=false",), "", "the daemon has no worker"),
        (("--oci-worker-snapshotter=zfs",), "", "unknown snapshotter 'zfs'"),
        (("--log-format=xml",), "", "unknown log format 'xml'"),
        (("--oci-worker-labels=x",), "", "invalid value x"),
        (("--oci-max-parallelism=x",), "", "invalid max-parallelism 'x'"),
        (("--tlscert=/c",), "", "you must specify key and cert file if one is specified"),
        (("--group=no such group",), "", "there is no group 'no such group'"),
        (("--oci-worker-platform=a/b/c/d/e",), "", "a/b/c/d/e"),
    ],
)
def test_mistakes(tmp_path: Path, words: tuple[str, ...], file: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        settings(tmp_path, *words, file=file)


WRONG = [
    ("\nroot = 3", "root must be a string", 2),
    ("dns = 'x'", "dns must be a table", 1),
    ("[worker.oci]\nnetworkMode = 'brigde'", "unknown network 'brigde'", 2),
    ("[worker.oci]\nnetworkmode = 'brigde'", "unknown network 'brigde'", 2),
    ("[worker.oci]\nmax-parallelism = true", "worker.oci.max-parallelism must be a number of steps", 2),
    ("[worker.oci]\n\nselinux = true", "worker.oci.selinux is not supported", 3),
    ("[grpc]\naddress = ['a', 3]", "item 2 of grpc.address must be a string", 2),
    ("[registry.r]\nkeypair = [{ key = 'k' }]", "registry.r.keypair.cert is missing", 2),
    (
        "[[worker.oci.gcpolicy]]\nall = true\n[[worker.oci.gcpolicy]]\nall = 1",
        "worker.oci.gcpolicy.all must be true or false",
        4,
    ),
]


@pytest.mark.parametrize(("file", "title", "line"), WRONG, ids=lambda value: str(value))
def test_mistakes_of_the_file_show_the_line(tmp_path: Path, file: str, title: str, line: int) -> None:
    with pytest.raises(UsageError, match=re.escape(title)) as caught:
        settings(tmp_path, file=file)
    assert caught.value.diagnostic.span is not None
    assert caught.value.diagnostic.span.line == line


def test_an_empty_text_is_the_default(tmp_path: Path) -> None:
    found = settings(tmp_path, file='[worker.oci]\nnetworkMode = ""\nsnapshotter = ""\n[log]\nformat = ""\n')
    assert (found.network, found.snapshotter, found.json_log) == ("auto", "", False)
