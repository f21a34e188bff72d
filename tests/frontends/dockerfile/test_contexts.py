"""Contexts that lie with the client: directories of its sessions, images of its content stores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.daemon.client.bridge import Gateway
from tests.daemon.client.contents import Blobs, Stores
from tests.daemon.client.failure import Failure
from tests.daemon.client.files import Directories
from tests.daemon.client.serving import Offer
from tests.daemon.client.solving import ask
from tests.support.daemons import Peer

COPIES = "FROM scratch\nCOPY . /all/\nCOPY --from=foo x y* /foo/\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The directories `context`, `dockerfile` and `foo`."""
    for path, text in {
        "context/a": "a",
        "context/sub/b": "b",
        "context/ignored": "",
        "context/.dockerignore": "ignored\n",
        "dockerfile/Dockerfile": COPIES,
        "dockerfile/lower/dockerfile": "FROM scratch\nCOPY a /\n",
        "dockerfile/Own": "FROM scratch\nCOPY . /\n",
        "dockerfile/Own.dockerignore": "a\n",
        "dockerfile/Nothing": 'FROM image\nCMD ["x"]\n',
        "foo/x": "x",
        "foo/y1": "y",
        "foo/y2": "y",
        "foo/z": "z",
        "foo/.dockerignore": "y2\n",
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def offered(place: Path, *names: str) -> Directories:
    return Directories({name: place / name for name in names})


def built(peer: Peer, options: Mapping[str, str], *offers: Offer) -> list[str]:
    """Paths of all that the Dockerfile's state has."""

    def frontend(gateway: Gateway) -> list[str]:
        ref = gateway.solve(frontend="dockerfile.v0", options=options).ref.id
        return list(_walk(gateway, ref, ""))

    return ask(peer.daemon, frontend, *offers)


def _walk(gateway: Gateway, ref: str, inside: str) -> list[str]:
    found = []
    for one in gateway.read_dir(ref, inside or "/"):
        path = f"{inside}/{one.path}"
        found += [path, *(_walk(gateway, ref, path) if one.mode >> 31 & 1 else [])]
    return found


def test_directories(peer: Peer, place: Path) -> None:
    directories = offered(place, "context", "dockerfile", "foo")
    options = {"context:foo": "local:foo", "sharedkey:localdir:foo": "key"}
    assert built(peer, options, directories.offer()) == [
        "/all",
        "/all/.dockerignore",
        "/all/a",
        "/all/sub",
        "/all/sub/b",
        "/foo",
        "/foo/x",
        "/foo/y1",
    ]
    (dockerfile,) = directories.of("dockerfile")
    assert dockerfile.metadata["followpaths"] == ["Dockerfile", "Dockerfile.dockerignore", "dockerfile"]
    _, foo = directories.of("foo")
    assert foo.metadata["followpaths"] == ["x", "y*"]
    assert foo.metadata["exclude-patterns"] == ["y2"]


@pytest.mark.parametrize(
    ("filename", "made"),
    [("lower/Dockerfile", ["/a"]), ("Own", ["/.dockerignore", "/ignored", "/sub", "/sub/b"])],
)
def test_files_beside_others(peer: Peer, place: Path, filename: str, made: list[str]) -> None:
    assert built(peer, {"filename": filename}, offered(place, "context", "dockerfile").offer()) == made


def test_directories_that_are_not_offered(peer: Peer, place: Path) -> None:
    with pytest.raises(Failure, match=r"failed to read dockerfile: .*no local sources enabled"):
        built(peer, {})
    with pytest.raises(Failure, match='no access allowed to dir "foo"'):
        built(peer, {"context:foo": "local:foo"}, offered(place, "context", "dockerfile").offer())


def test_a_dockerfile_in_the_context(peer: Peer, place: Path) -> None:
    (place / "context" / "Dockerfile").write_text("FROM scratch\nCOPY a /b\n")
    assert built(peer, {"dockerfilekey": "context"}, offered(place, "context").offer()) == ["/b"]


def test_a_directory_of_another_session(ours: Peer, place: Path) -> None:
    with ours.daemon.session(offered(place, "foo").offer()) as other:
        options = {"context:foo": "local:foo", "local-sessionid:foo": other.id}
        made = built(ours, options, offered(place, "context", "dockerfile").offer())
    assert made[-2:] == ["/foo/x", "/foo/y1"]


def test_an_image_of_a_content_store(peer: Peer, place: Path, base_layout: Path) -> None:
    blobs = Blobs.of_layout(base_layout)
    digest = json.loads((base_layout / "index.json").read_bytes())["manifests"][0]["digest"]
    stores = Stores({"oci:mine": blobs})
    options = {"context:image": f"oci-layout://mine:latest@{digest}", "filename": "Nothing"}
    made = built(peer, options, offered(place, "context", "dockerfile").offer(), stores.offer())
    assert "/bin/busybox" in made


def test_a_build_that_copies_nothing_needs_no_context(ours: Peer, place: Path, base_reference: str) -> None:
    options = {"context:image": f"docker-image://{base_reference}", "filename": "Nothing"}
    assert "/bin" in built(ours, options, offered(place, "dockerfile").offer())
