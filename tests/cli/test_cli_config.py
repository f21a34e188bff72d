"""`pybuild.toml` and `config.toml`: where they are looked for, what they set, what is wrong in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import write

from pybuild.request.config import defaults

EVERYTHING = """\
file = "docker/Dockerfile"
target = "final"
tags = ["a:1", "b"]
build-args = { A = "1", B = "2" }
platforms = ["linux/amd64"]
outputs = ["out", "type=oci,dest=img.tar", "type=oci,\\"dest=a,b.tar\\"", "-", "type=image,push=true"]
push = true
no-cache = true
no-cache-filter = ["x"]
network = "none"
allow = ["network.host"]
add-hosts = ["a:10.0.0.1"]
ulimits = ["nofile=1:2"]
shm-size = "1m"
max-parallelism = 2
progress = "plain"
iidfile = "iid"
provenance = false
annotations = { "index:x" = "y" }
[labels]
l = "v"
[build-contexts]
base = "host:sh"
image = "docker-image://alpine"
layout = "oci-layout://dir:tag"
archive = "docker-archive:a.tar"
tree = "../lib"
"""


def test_every_key(place: Path, tmp_path: Path, recorder: Any, pybuild: Any) -> None:
    write(place / "pybuild.toml", EVERYTHING)
    write(tmp_path / "config/pybuild/config.toml", 'trust = ["../../work"]\n')
    code, _, err = pybuild("build")
    assert code == 0, err
    one = recorder.request
    assert one.file == str(place / "docker/Dockerfile")
    assert (one.target, one.tags, one.push, one.no_cache) == ("final", ("a:1", "b"), True, True)
    assert one.build_args == (("A", "1"), ("B", "2"))
    assert one.labels == (("l", "v"),)
    assert one.annotations == ("index:x=y",)
    assert one.outputs == (
        str(place / "out"),
        f"type=oci,dest={place}/img.tar",
        f'type=oci,"dest={place}/a,b.tar"',
        "-",
        "type=image,push=true",
    )
    assert dict(one.build_contexts) == {
        "base": "host:sh",
        "image": "docker-image://alpine",
        "layout": f"oci-layout://{place}/dir:tag",
        "archive": f"docker-archive:{place}/a.tar",
        "tree": str(place.parent / "lib"),
    }
    assert (one.network, one.allow, one.parallelism, one.progress) == ("none", ("network.host",), 2, "plain")
    assert (one.ulimits, one.shm_size) == ((("nofile", 1, 2),), 1 << 20)
    assert one.iidfile == str(place / "iid")


def test_the_command_line_overrides(place: Path, recorder: Any, pybuild: Any) -> None:
    write(
        place / "pybuild.toml",
        EVERYTHING.replace('"../lib"', '"lib"').replace('allow = ["network.host"]', ""),
    )
    words = ["--target=t", "-t", "c", "--build-arg", "B=3", "--build-arg", "C", "--push=false", "-o", "x"]
    code, _, err = pybuild("build", *words, "--label", "m=w", "--annotation", "index:x=z", "--progress=quiet")
    assert code == 0, err
    one = recorder.request
    assert (one.target, one.tags, one.push, one.outputs) == ("t", ("c",), False, ("x",))
    assert one.build_args == (("A", "1"), ("B", "3"), ("C", None))
    assert one.labels == (("l", "v"), ("m", "w"))
    assert one.annotations == ("index:x=z",)
    assert one.progress == "quiet"


def test_looked_for_up_to_the_repository_root(place: Path) -> None:
    write(place / "pybuild.toml", 'target = "outside"')
    deep = place / "repo" / "a" / "b"
    deep.mkdir(parents=True)
    found = defaults.load(str(deep), None)
    assert found.wishes == {}
    assert str(place / "pybuild.toml") not in found.consulted
    (place / "repo" / ".git").mkdir()
    assert defaults.load(str(deep), None).wishes == {}
    write(place / "repo" / "pybuild.toml", 'target = "repo"')
    assert defaults.load(str(deep), None).wishes["targets"] == ("repo",)
    write(deep / "pybuild.toml", 'target = "deep"')
    assert defaults.load(str(deep), None).wishes["targets"] == ("deep",)


def test_beside_the_build_file_comes_before_the_context(place: Path) -> None:
    write(place / "pybuild.toml", 'target = "context"')
    write(place / "docker" / "pybuild.toml", 'target = "file"')
    assert defaults.load(".", "docker/Dockerfile").wishes["targets"] == ("file",)
    assert defaults.load(".", "-").wishes["targets"] == ("context",)
    assert defaults.load("-", None).wishes == {}
    assert defaults.load("-", "docker/Dockerfile").wishes["targets"] == ("file",)


def test_consulted_names_what_was_not_found(place: Path, tmp_path: Path) -> None:
    (place / ".git").mkdir()
    (place / "a").mkdir()
    consulted = defaults.load("a", None).consulted
    assert consulted[:2] == [str(tmp_path / "config/pybuild/config.toml"), "/etc/pybuild/config.toml"]
    assert set(consulted) >= {
        str(place / "a/pybuild.toml"), str(place / "a/.git"), str(place / ".git"), str(place / "pybuild.toml")
    }  # fmt: skip
    assert all(path.startswith("/") for path in consulted)


def test_user_configuration(place: Path, tmp_path: Path, recorder: Any, pybuild: Any) -> None:
    write(
        tmp_path / "config/pybuild/config.toml",
        'max-parallelism = 3\n[network]\nisolate = true\n[registries."r:5000"]\nmirrors = ["m/x"]\nhttp = true\n'
        'ca = ["ca.pem"]\n[[registries."r:5000".keypair]]\nkey = "/k"\ncert = "c"\n',
    )
    assert pybuild("build")[0] == 0
    one = recorder.request
    here = tmp_path / "config/pybuild"
    assert (one.parallelism, one.isolate_network) == (3, True)
    assert one.registries == {
        "r:5000": {
            "mirrors": ("m/x",),
            "http": True,
            "insecure": False,
            "ca": (f"{here}/ca.pem",),
            "keypair": (("/k", f"{here}/c"),),
        }
    }
    from pybuild.runtime.registry.hosts import RegistryConfig

    assert RegistryConfig("r:5000", **one.registries["r:5000"]).http


WRONG = [
    ("tag = 1", "unknown key tag", 1, "did you mean tags?"),
    ("\nbuild-arg = {}", "unknown key build-arg", 2, "did you mean build-args?"),
    ("x = 1\nzzzzzzzzzz = 2", "unknown key x", 1, "known are add-hosts"),
    ("target = 3", "target must be a string", 1, 'write it in quotes: "3"'),
    ("target = 1.10", "target must be a string", 1, 'write it in quotes: "1.10"'),
    ("tags = ['a', '']", "item 2 of tags must be a string that is not empty", 1, ""),
    ("provenance = true", "provenance must be false", 1, "not supported"),
    ("shm-size = true", "shm-size must be a size", 1, ""),
    ("shm-size = -1", "invalid size '-1'", 1, "write a number of bytes"),
    ("push = 'yes'", "push must be true or false", 1, ""),
    (
        "push = true\n[build-args]\nA = '1'\nVERSION = 1.10",
        "build-args.VERSION must be a string",
        4,
        "quotes",
    ),
    ("build-args = { A = '1', B = 2 }", "build-args.B must be a string", 1, "quotes"),
    ("ulimits = ['nofle=1']", "unknown resource limit 'nofle'", 1, "did you mean nofile?"),
    ("\n\nnetwork = 'bridge'", "unknown network mode 'bridge'", 3, "choose one of"),
    ("a = ", "is not TOML", 1, ""),
    ("target = 'x'\ntarget = 'y'", "is not TOML", 2, ""),
    ("progress = 'plian'", "progress must be one of auto, tty", 1, "did you mean plain?"),
    ("max-parallelism = 0", "max-parallelism must be at least 1", 1, ""),
]


@pytest.mark.parametrize(("text", "title", "line", "words"), WRONG, ids=lambda value: str(value))
def test_errors_show_the_line(
    text: str, title: str, line: int, words: str, place: Path, recorder: Any, pybuild: Any
) -> None:
    write(place / "pybuild.toml", text)
    code, _, err = pybuild("build")
    assert code == 2, err
    assert title in err
    assert f"--> pybuild.toml:{line}:" in err
    assert words in err
    assert not recorder.requests


def test_unknown_key_of_a_registry(tmp_path: Path, pybuild: Any) -> None:
    write(tmp_path / "config/pybuild/config.toml", '[registries."r:5000"]\nhttp = true\ninsecur = true\n')
    code, _, err = pybuild("build")
    assert code == 2
    assert "unknown key registries.r:5000.insecur" in err
    assert "config.toml:3:1" in err
    assert "did you mean insecure?" in err


def test_a_file_that_is_not_text(place: Path, pybuild: Any) -> None:
    (place / "pybuild.toml").write_bytes(b"\xff")
    code, _, err = pybuild("build")
    assert (code, "is not UTF-8" in err) == (2, True)
    (place / "pybuild.toml").unlink()
    (place / "pybuild.toml").mkdir()
    code, _, err = pybuild("build")
    assert (code, "cannot read" in err) == (2, True)
