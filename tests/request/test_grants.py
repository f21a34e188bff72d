"""Each request of a `pybuild.toml`: refused with its flag, and granted in each of the three ways."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pybuild.build.errors import message
from pybuild.cli.commands import main
from pybuild.cli.trust import trust_directory
from pybuild.request import trust
from pybuild.request.config.defaults import complete
from pybuild.request.request import BuildRequest
from pybuild.request.trust import Untrusted

REQUESTS = [
    ('allow = ["security.insecure"]', "--allow security.insecure", {"allow": ("security.insecure",)}),
    ('allow = ["read=/etc"]', "--allow read=/etc", {"allow": ("read=/etc",)}),
    ('allow = ["python"]', "--allow python", {"allow": ("python",)}),
    ('network = "host"', "--network host", {"network": "host"}),
    ("push = true", "--push", {"push": True}),
    ("load = true", "--load", {"load": True}),
    ('cgroup-parent = "x"', "--cgroup-parent x", {"cgroup_parent": "x"}),
    ('outputs = ["type=image,name=r/x,push=true"]', "--output type=image,name=r/x,push=true", {"outputs": ()}),
    ('outputs = ["type=registry"]', "--output type=registry", {"outputs": ()}),
    ('outputs = ["type=docker"]', "--output type=docker", {"outputs": ()}),
    ('outputs = ["/any/dir"]', "--output /any/dir", {"outputs": ()}),
    ('outputs = ["type=oci,dest=../x.tar"]', "--output type=oci,dest=PLACE/x.tar", {"outputs": ()}),
    ('outputs = ["link/x"]', "--output PLACE/it/link/x", {"outputs": ()}),
    ('iidfile = "/any/iid"', "--iidfile /any/iid", {"iidfile": "x"}),
    ('metadata-file = "link/meta"', "--metadata-file PLACE/it/link/meta", {"metadata_file": "x"}),
    ('params-files = ["../p.toml"]', "--params PLACE/p.toml", {"params_files": ()}),
    ('file = "sub/build.py"', "--file PLACE/it/sub/build.py", {"file": "x"}),
    ('file = "../Dockerfile"', "--file PLACE/Dockerfile", {"file": "x"}),
    ('build-contexts = { h = "/any/dir" }', "--build-context h=/any/dir", {"build_contexts": (("h", "x"),)}),
    ('build-contexts = { h = "link" }', "--build-context h=PLACE/it/link", {"build_contexts": (("h", "x"),)}),
    (
        'build-contexts = { h = "host:sh,/etc/shadow" }',
        "--build-context h=host:sh,/etc/shadow",
        {"build_contexts": (("h", "x"),)},
    ),
    (
        'build-contexts = { h = "oci-layout:///any:tag" }',
        "--build-context h=oci-layout:///any:tag",
        {"build_contexts": (("h", "x"),)},
    ),
    (
        'build-contexts = { h = "docker-archive:../a.tar" }',
        "--build-context h=docker-archive:PLACE/a.tar",
        {"build_contexts": (("h", "x"),)},
    ),
    ('build-contexts = { h = "xx:/../../b" }', "--build-context h=OUTER/b", {"build_contexts": (("h", "x"),)}),
]  # fmt: skip
"""The text, its flag, and fields that a command line would give in its place."""
DEFAULTS = """\
target = "x"
tags = ["a"]
network = "none"
outputs = ["out", "type=oci,dest=sub/new/x.tar", "-", "type=image,name=a"]
iidfile = "iid"
push = false
file = "sub/Dockerfile"
params-files = ["p.toml"]
[build-contexts]
tools = "host:sh,cat"
image = "docker-image://alpine"
git = "https://example.org/x.git"
there = "sub"
layout = "oci-layout://sub/layout:tag"
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one to build, `it`, that has a link leading out of it. The user's files are elsewhere."""
    (tmp_path / "place" / "it" / "sub").mkdir(parents=True)
    (tmp_path / "place" / "outside").mkdir()
    (tmp_path / "place" / "it" / "link").symlink_to("../outside")
    monkeypatch.chdir(tmp_path / "place")
    for name in ("config", "state"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / name))
    return tmp_path / "place"


def write(place: Path, text: str) -> None:
    (place / "it" / "pybuild.toml").write_text(text + "\n")


@pytest.mark.parametrize(("text", "flag", "fields"), REQUESTS)
def test_each_request(place: Path, tmp_path: Path, text: str, flag: str, fields: dict[str, Any]) -> None:
    write(place, text)
    with pytest.raises(Untrusted) as caught:
        complete("it", {})
    flag = flag.replace("PLACE", str(place)).replace("OUTER", str(place.parent))
    assert caught.value.flags == (flag,)
    help = dict(caught.value.diagnostic.notes)["help"]
    assert help == f"to grant it, give {flag}; `pybuild trust it` remembers all that it requests"
    assert complete("it", fields)
    trust_directory("it")
    assert complete("it", {})
    trust.forget(str(place / "it"))
    with pytest.raises(Untrusted):
        complete("it", {})
    (tmp_path / "config" / "pybuild").mkdir(parents=True)
    (tmp_path / "config" / "pybuild" / "config.toml").write_text(f'trust = ["{place}"]\n')
    assert complete("it", {})


def test_defaults_and_narrowing_need_nothing(place: Path) -> None:
    write(place, DEFAULTS)
    assert complete("it", {}).network == "none"


def test_one_message_shows_all_with_their_lines(place: Path) -> None:
    write(place, 'target = "x"\nallow = ["device", "network.host"]\n\npush = true')
    with pytest.raises(Untrusted, match=r"it/pybuild\.toml requests what only you can grant") as caught:
        complete("it", {})
    labels = [(label.span.line, label.text) for label in caught.value.diagnostic.labels]
    assert labels == [(2, "--allow device --allow network.host"), (4, "--push")]


def test_a_command_without_the_flag_makes_no_use_of_the_setting(place: Path) -> None:
    write(place, 'push = true\noutputs = ["/any"]\nallow = ["device"]')
    with pytest.raises(Untrusted) as caught:
        complete("it", {}, flags=("allow",))
    assert caught.value.flags == ("--allow device",)
    write(place, 'push = true\noutputs = ["/any"]')
    request = complete("it", {}, flags=("allow",))
    assert (request.push, request.outputs) == (False, ())
    write(place, 'file = "build.py"')
    with pytest.raises(Untrusted):
        complete("it", {}, flags=())


def test_an_edit_needs_no_new_consent_and_a_request_does(place: Path) -> None:
    write(place, "push = true")
    trust_directory("it")
    write(place, '# a comment\ntarget = "y"\npush = true')
    assert complete("it", {}).push
    write(place, "push = true\nload = true")
    with pytest.raises(Untrusted) as caught:
        complete("it", {})
    assert caught.value.flags == ("--load",)


def test_a_link_that_leads_elsewhere_is_another_request(place: Path) -> None:
    write(place, 'outputs = ["link/x"]')
    trust_directory("it")
    complete("it", {})
    (place / "it" / "link").unlink()
    (place / "it" / "link").symlink_to("/etc")
    with pytest.raises(Untrusted):
        complete("it", {})


def test_paths_are_those_of_the_repository(place: Path) -> None:
    (place / ".git").mkdir()
    write(place, 'outputs = ["../out"]\nbuild-contexts = { h = "link" }')
    assert complete("it", {})


def test_trust_is_the_directorys_not_that_of_a_link_to_it(place: Path) -> None:
    (place / "name").symlink_to("it")
    write(place, "push = true")
    trust_directory("name")
    assert complete("it", {}).push
    assert [directory for directory, _ in trust.all_remembered()] == [str(place / "it")]


def test_the_memory_is_the_users_alone(place: Path, tmp_path: Path) -> None:
    write(place, "push = true")
    before = os.umask(0)
    try:
        trust_directory("it")
    finally:
        os.umask(before)
    (file,) = (tmp_path / "state/pybuild/trust").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    file.chmod(0o666)
    with pytest.raises(Untrusted):
        complete("it", {})
    file.chmod(0o600)
    file.write_text("{" * 100_000)
    with pytest.raises(Untrusted):
        complete("it", {})
    assert trust.all_remembered() == []


def test_what_is_no_longer_requested_is_forgotten(place: Path) -> None:
    write(place, "push = true")
    trust_directory("it")
    write(place, "")
    assert "nothing" in trust_directory("it")
    assert trust.all_remembered() == []


def test_the_command(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(place, 'push = true\nfile = "build.py"')
    assert main(["trust", "it"]) == 0
    shown = f"{place}/it\n  --file {place}/it/build.py\n  --push\n"
    assert capsys.readouterr().out == f"{shown}remembered; to forget it: pybuild trust --revoke it\n"
    assert main(["trust", "--list"]) == 0
    assert capsys.readouterr().out == shown
    assert main(["trust", "--revoke", "it"]) == 0
    assert capsys.readouterr().out == f"forgot {place}/it\n"
    with pytest.raises(Exception, match="nothing is remembered of it"):
        main(["trust", "--revoke", "it"])
    assert main(["trust", "--list"]) == 0
    assert capsys.readouterr().out == ""


def test_the_machines_file_trusts_too(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(place, "push = true")
    for name, text in (
        ("config/pybuild/config.toml", "max-parallelism = 2\n"),
        ("etc.toml", 'trust = ["place"]'),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    paths = [str(tmp_path / "config/pybuild/config.toml"), str(tmp_path / "etc.toml")]
    monkeypatch.setattr("pybuild.request.config.user_file.user_paths", lambda: paths)
    assert complete("it", {}).push


@pytest.mark.parametrize("name", ["Dockerfile", "build.pybuild", "x.txt"])
def test_python_has_its_name(name: str) -> None:
    for request in (BuildRequest(), BuildRequest(file=name), BuildRequest(file=name, allow=("python",))):
        with pytest.raises(Exception, match=r"only a file called \*\.py"):
            trust.refuse_module(name, request)


def test_python_is_named_allowed_or_here(place: Path) -> None:
    trust.refuse_module("it/build.py", BuildRequest("it", file="it/build.py"))
    trust.refuse_module("it/build.py", BuildRequest("it", allow=("python",)))
    trust.refuse_module("./build.py", BuildRequest())
    with pytest.raises(Untrusted, match="would run on this machine"):
        trust.refuse_module("it/build.py", BuildRequest("it"))
    with pytest.raises(Exception, match="from standard input"):
        trust.refuse_module("Dockerfile", BuildRequest(file="-"))


def test_a_relative_directory_of_the_environment_counts_as_none(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, "it")
    write(place, "push = true")
    (place / "it" / "pybuild").mkdir()
    (place / "it" / "pybuild" / "config.toml").write_text('trust = ["/"]\n')
    with pytest.raises(Untrusted):
        complete("it", {})
    trust_directory("it")
    assert [path.name for path in (tmp_path / "home").iterdir()] == [".local"]


def test_the_message_holds_no_control_characters(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(place, 'allow = ["read=\\u001b[2J"]')
    main(["trust", "it"])
    assert "\x1b" not in capsys.readouterr().out
    trust.forget(str(place / "it"))
    with pytest.raises(Untrusted) as caught:
        complete("it", {})
    assert "\x1b" not in message(caught.value.diagnostic, colour=False)
