"""Exports of built states, each verified, and what happens to a destination when one fails."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runtime.image.room import Room, describe

from pybuild.lang.diagnostics import UsageError, UserError
from pybuild.runtime.export.build import Build
from pybuild.runtime.export.daemon import DaemonError
from pybuild.runtime.export.destination import ExportError, OutputFile
from pybuild.runtime.export.exports import export, export_all
from pybuild.runtime.export.output import parse_output
from pybuild.runtime.image.annotations import parse_flags
from pybuild.runtime.image.assemble import Result
from pybuild.runtime.image.layers import Layers
from pybuild.runtime.progress.observer import Observer, VertexEvent
from pybuild.runtime.verify.archives import verify_docker_archive, verify_layout, verify_stored

pytestmark = pytest.mark.root

NOW = "2026-01-02T03:04:05.6Z"


def config(architecture: str = "amd64", layers: int = 2, variant: str = "") -> bytes:
    value: dict[str, object] = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["a<b>&c"]},
        "history": [
            *({"created": NOW, "created_by": f"step {number}"} for number in range(layers)),
            {"created": NOW, "created_by": "LABEL", "empty_layer": True},
        ],
        "created": NOW,
    }
    if variant:
        value["variant"] = variant
    return json.dumps(value).encode()


class Heard(Observer):
    def __init__(self) -> None:
        self.names: list[str] = []
        self.notices: list[str] = []

    def vertex(self, event: VertexEvent) -> None:
        if event.completed:
            self.names.append(event.name)

    def notice(self, text: str) -> None:
        self.notices.append(text)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path / "store")
    yield room
    room.close()


def state(room: Room) -> int:
    base = room.snapshot(None, {"bin/tool": "#!x", "etc/conf": "a=1", "empty": None})
    active = room.snapshotter.prepare(base)
    with active.mount() as root:
        os.unlink(root + b"/etc/conf")
        os.mkdir(root + b"/data")
        with open(root + b"/data/file", "wb") as file:
            file.write(b"x" * 100_000)
        os.link(root + b"/data/file", root + b"/data/hard")
        os.symlink("file", root + b"/data/link")
        os.mkfifo(root + b"/data/pipe")
        os.chown(root + b"/data/file", 1000, 1001)
        os.chmod(root + b"/data/file", 0o4751)
    return active.commit()


def build_of(room: Room, *results: Result, **options: object) -> Build:
    layers = Layers(room.store, room.snapshotter)
    made = results or (Result(config(), state(room)),)
    return Build(room.store, room.snapshotter, layers, made, Heard(), **options)  # type: ignore[arg-type]


def test_an_oci_archive(room: Room, tmp_path: Path) -> None:
    build = build_of(room, tags=["example.com/app:1", "app"])
    found = export(parse_output(f"type=oci,dest={tmp_path}/new/o.tar"), build)
    assert verify_layout(f"{tmp_path}/new/o.tar") == []
    with tarfile.open(tmp_path / "new" / "o.tar") as archive:
        names = archive.getnames()
        assert names == sorted(names)
        assert {member.mtime for member in archive} == {0}
        file = archive.extractfile("index.json")
        assert file is not None
        index = json.load(file)
    assert found["containerimage.digest"] == index["manifests"][0]["digest"]
    assert found["image.name"] == "example.com/app:1,docker.io/library/app:latest"
    notes = [entry["annotations"] for entry in index["manifests"]]
    assert notes[0] == {
        "io.containerd.image.name": "example.com/app:1",
        "org.opencontainers.image.created": "2026-01-02T03:04:05Z",
        "org.opencontainers.image.ref.name": "1",
    }
    assert notes[1]["org.opencontainers.image.ref.name"] == "latest"
    assert index["manifests"][0]["platform"] == {"architecture": "amd64", "os": "linux"}
    assert isinstance(build.observer, Heard)
    assert build.observer.names == ["exporting to oci image format"]


def test_manifests_are_written_as_buildkit_writes_them(room: Room, tmp_path: Path) -> None:
    build = build_of(room, annotations=parse_flags(["z=<1>", "a=2"]))
    found = export(parse_output(f"type=oci,dest={tmp_path}/o.tar"), build)
    data = room.store.blobs.read(str(found["containerimage.digest"])).decode()
    value = json.loads(data)
    assert list(value) == ["schemaVersion", "mediaType", "config", "layers", "annotations"]
    assert list(value["annotations"]) == ["a", "z"]
    assert '"z": "\\u003c1\\u003e"' in data
    assert data.startswith('{\n  "schemaVersion": 2,\n  "mediaType": ')
    stored = room.store.blobs.read(value["config"]["digest"]).decode()
    assert '"Cmd":["a\\u003cb\\u003e\\u0026c"]' in stored


def test_equal_results_give_equal_bytes(room: Room, tmp_path: Path) -> None:
    snapshot = state(room)
    for name in ("1", "2"):
        export(
            parse_output(f"type=oci,dest={tmp_path}/{name}.tar"), build_of(room, Result(config(), snapshot))
        )
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()


@pytest.mark.parametrize("compression", ["gzip", "zstd", "uncompressed", "gzip,compression-level=9"])
def test_compressions(room: Room, tmp_path: Path, compression: str) -> None:
    export(parse_output(f"type=oci,dest={tmp_path}/o.tar,compression={compression}"), build_of(room))
    assert verify_layout(f"{tmp_path}/o.tar") == []


def test_a_layout_directory_keeps_other_images(room: Room, tmp_path: Path) -> None:
    dest = tmp_path / "layout"
    one, two = room.snapshot(None, {"f": "1"}), room.snapshot(None, {"f": "2"})
    output = parse_output(f"type=oci,dest={dest},tar=false")
    export(output, build_of(room, Result(config(layers=1), one), tags=["a:1"]))
    export(output, build_of(room, Result(config(layers=1), two), tags=["b:1"]))
    export(output, build_of(room, Result(config(layers=1), two), tags=["a:1"]))
    index = json.loads((dest / "index.json").read_text())
    names = [entry["annotations"]["io.containerd.image.name"] for entry in index["manifests"]]
    assert names == ["docker.io/library/b:1", "docker.io/library/a:1"]
    assert len({entry["digest"] for entry in index["manifests"]}) == 1
    assert verify_layout(str(dest)) == []
    assert not list(dest.rglob("*.tmp"))
    (dest / "index.json").write_text("[]")
    with pytest.raises(ExportError, match="no index of an OCI layout"):
        export(output, build_of(room, Result(config(layers=1), one)))


def test_a_docker_archive(room: Room, tmp_path: Path) -> None:
    build = build_of(room, tags=["app:2", "ghcr.io/o/app"])
    export(parse_output(f"type=docker,dest={tmp_path}/d.tar"), build)
    assert verify_docker_archive(f"{tmp_path}/d.tar") == []
    with tarfile.open(tmp_path / "d.tar") as archive:
        file = archive.extractfile("manifest.json")
        assert file is not None
        [image] = json.load(file)
    assert image["RepoTags"] == ["app:2", "ghcr.io/o/app:latest"]
    assert len(image["Layers"]) == 2
    export(parse_output(f"type=docker,dest={tmp_path}/dir,tar=false"), build)
    assert verify_docker_archive(f"{tmp_path}/dir") == []


def test_several_platforms(room: Room, tmp_path: Path) -> None:
    results = [
        Result(config("amd64", 1), room.snapshot(None, {"f": "amd"})),
        Result(config("arm64", 1, "v8"), room.snapshot(None, {"f": "arm"})),
    ]
    build = build_of(
        room, *results, annotations=parse_flags(["index:a=b", "manifest-descriptor[linux/arm64/v8]:c=d"])
    )
    found = export(parse_output(f"type=oci,dest={tmp_path}/o.tar"), build)
    assert verify_layout(f"{tmp_path}/o.tar") == []
    index = json.loads(room.store.blobs.read(str(found["containerimage.digest"])))
    assert index["annotations"] == {"a": "b"}
    assert [entry["platform"] for entry in index["manifests"]] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm64", "os": "linux", "variant": "v8"},
    ]
    assert index["manifests"][1]["annotations"] == {"c": "d"}
    assert "containerimage.config.digest" not in found
    with pytest.raises(UserError, match="2 platforms"):
        export(parse_output(f"type=docker,dest={tmp_path}/d.tar"), build)
    export(parse_output(f"type=local,dest={tmp_path}/l"), build)
    assert (tmp_path / "l" / "linux_arm64_v8" / "f").read_text() == "arm"
    with pytest.raises(UserError, match="cannot overwrite f from linux/amd64 with linux/arm64/v8"):
        export(parse_output(f"type=local,dest={tmp_path}/m,platform-split=false"), build)
    export(parse_output(f"type=tar,dest={tmp_path}/t.tar"), build)
    with tarfile.open(tmp_path / "t.tar") as archive:
        assert archive.getnames() == ["linux_amd64", "linux_amd64/f", "linux_arm64_v8", "linux_arm64_v8/f"]


def test_epochs(room: Room, tmp_path: Path) -> None:
    snapshot = state(room)
    rewritten = parse_output(f"type=oci,dest={tmp_path}/o.tar,rewrite-timestamp=true")
    with pytest.raises(UsageError, match="needs a time"):
        export(rewritten, build_of(room, Result(config(), snapshot)))
    assert not (tmp_path / "o.tar").exists()
    build = build_of(room, Result(config(), snapshot), epoch=1_000_000_000)
    first = export(parse_output(f"type=oci,dest={tmp_path}/o.tar,rewrite-timestamp=true"), build)
    manifest = json.loads(room.store.blobs.read(str(first["containerimage.digest"])))
    stored = json.loads(room.store.blobs.read(manifest["config"]["digest"]))
    assert stored["created"] == "2001-09-09T01:46:40Z"
    assert {entry["created"] for entry in stored["history"]} == {"2001-09-09T01:46:40Z"}
    assert verify_layout(f"{tmp_path}/o.tar") == []
    blob = io.BytesIO(room.store.blobs.read(manifest["layers"][1]["digest"]))
    with tarfile.open(fileobj=blob) as archive:
        assert {member.mtime for member in archive} <= {0, 1_000_000_000}
    plain = export(parse_output(f"type=oci,dest={tmp_path}/p.tar"), build)
    assert plain["containerimage.digest"] != first["containerimage.digest"]
    export(parse_output(f"type=local,dest={tmp_path}/l"), build)
    assert {os.lstat(path).st_mtime for path in (tmp_path / "l").rglob("*")} == {1_000_000_000}


def test_empty_images(room: Room, tmp_path: Path) -> None:
    export(parse_output(f"type=oci,dest={tmp_path}/o.tar"), build_of(room, Result(config(layers=0), None)))
    assert verify_layout(f"{tmp_path}/o.tar") == []


def test_outputs_share_an_image(room: Room, tmp_path: Path) -> None:
    texts = [
        f"type=oci,dest={tmp_path}/1.tar",
        f"type=oci,dest={tmp_path}/2.tar",
        "type=image,name=a",
        "type=none",
    ]
    found = export_all([parse_output(text) for text in texts], build_of(room))
    assert found[0] == found[1]
    assert found[3] == {}
    assert found[2]["containerimage.config.digest"] == found[0]["containerimage.config.digest"]


def test_an_image_in_the_store(room: Room) -> None:
    found = export(parse_output("type=image,name=app:1,name-canonical=true"), build_of(room))
    digest = str(found["containerimage.digest"])
    rows = room.store.query("SELECT name, digest FROM image ORDER BY name")
    assert rows == [
        ("docker.io/library/app:1", digest),
        (f"docker.io/library/app@{digest}", digest),
    ]
    assert verify_stored(room.store, digest) == []


def test_pushing(room: Room) -> None:
    pushed: list[tuple[object, ...]] = []

    def push(image: object, name: object, *, insecure: bool, by_digest: bool, tracked: object) -> None:
        pushed.append((str(name), insecure, by_digest))

    build = build_of(room, push=push, tags=["localhost:5000/a:1"])
    export(parse_output("type=registry,registry.insecure=true"), build)
    export(parse_output("type=image,push-by-digest=true,push=true"), build)
    assert pushed == [("localhost:5000/a:1", True, False), ("localhost:5000/a:1", False, True)]
    with pytest.raises(UsageError, match="without a name"):
        export(parse_output("type=registry"), build_of(room, push=push))


def test_local_files(room: Room, tmp_path: Path) -> None:
    dest = tmp_path / "out"
    (dest / "data").mkdir(parents=True)
    (dest / "data" / "mine").write_text("kept")
    (dest / "data" / "file").write_text("old")
    (dest / "bin").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    build = build_of(room)
    for _ in range(2):
        export(parse_output(str(dest)), build)
        assert (dest / "data" / "mine").read_text() == "kept"
        assert (dest / "bin" / "tool").read_text() == "#!x"
        assert list((tmp_path / "elsewhere").iterdir()) == []
        found = os.stat(dest / "data" / "file")
        assert (found.st_size, stat.S_IMODE(found.st_mode), found.st_uid) == (100_000, 0o4751, os.geteuid())
        assert os.path.samefile(dest / "data" / "file", dest / "data" / "hard")
        assert os.readlink(dest / "data" / "link") == "file"
        assert stat.S_ISFIFO(os.stat(dest / "data" / "pipe").st_mode)
        assert not (dest / "etc" / "conf").exists()
        assert not list(dest.rglob(".pybuild-*"))


def test_local_does_not_delete_a_full_directory(room: Room, tmp_path: Path) -> None:
    (tmp_path / "out" / "f" / "inner").mkdir(parents=True)
    build = build_of(room, Result(config(layers=1), room.snapshot(None, {"f": "x"})))
    with pytest.raises(ExportError, match="where the result has a file"):
        export(parse_output(f"{tmp_path}/out"), build)
    (tmp_path / "out" / "f" / "inner").rmdir()
    export(parse_output(f"{tmp_path}/out"), build)
    assert (tmp_path / "out" / "f").read_text() == "x"


def test_a_tar_of_the_files(room: Room, tmp_path: Path) -> None:
    build = build_of(room)
    export(parse_output(f"type=tar,dest={tmp_path}/t.tar"), build)
    (tmp_path / "x").mkdir()
    subprocess.run(["tar", "-xpf", "t.tar", "-C", "x"], cwd=tmp_path, check=True)
    found = describe(tmp_path / "x")
    with room.snapshotter.mount(build.results[0].snapshot) as root:
        assert found == describe(root)
    assert found[b"data/file"][1:3] == (1000, 1001)


def test_a_failure_leaves_the_old_file(room: Room, tmp_path: Path) -> None:
    dest = tmp_path / "o.tar"
    dest.write_text("precious")
    os.chmod(dest, 0o640)

    def write() -> None:
        with OutputFile(str(dest)) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert dest.read_text() == "precious"
    assert sorted(os.listdir(tmp_path)) == ["o.tar", "store"]
    export(parse_output(f"type=oci,dest={dest}"), build_of(room))
    assert verify_layout(str(dest)) == []
    assert stat.S_IMODE(os.stat(dest).st_mode) == 0o640


def test_a_killed_export_leaves_the_old_file(tmp_path: Path) -> None:
    dest = tmp_path / "o.tar"
    dest.write_text("precious")
    child = os.fork()
    if child == 0:
        with OutputFile(str(dest)) as file:
            file.write(b"half")
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert dest.read_text() == "precious"
    assert os.listdir(tmp_path) == ["o.tar"]


def test_a_full_disk(room: Room, tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", mount], check=True)
    try:
        (mount / "o.tar").write_text("precious")
        snapshot = room.snapshot(None, {"f": os.urandom(300_000)})
        build = build_of(room, Result(config(layers=1), snapshot))
        for text in (f"type=oci,dest={mount}/o.tar", f"{mount}/dir", f"type=oci,tar=false,dest={mount}/lay"):
            with pytest.raises(ExportError, match="No space left") as caught:
                export(parse_output(text), build)
            assert "free some space" in dict(caught.value.diagnostic.notes)["help"]
        assert (mount / "o.tar").read_text() == "precious"
        assert not [
            path for path in mount.rglob("*") if path.name.endswith(".tmp") or ".pybuild" in path.name
        ]
    finally:
        subprocess.run(["umount", mount], check=True)


def test_special_destinations(room: Room, tmp_path: Path) -> None:
    build = build_of(room)
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE) as reader:
        export(parse_output(f"type=oci,dest={tmp_path}/pipe"), build)
        data, _ = reader.communicate()
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)
    export(parse_output(f"type=oci,dest={tmp_path}/o.tar"), build)
    assert data == (tmp_path / "o.tar").read_bytes()
    (tmp_path / "link").symlink_to("target.tar")
    export(parse_output(f"type=oci,dest={tmp_path}/link"), build)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target.tar").read_bytes() == data
    export(parse_output("type=oci,dest=/dev/null"), build)
    with pytest.raises(ExportError, match="cannot write"):
        export(parse_output(f"type=oci,dest={tmp_path}/o.tar/x"), build)


def test_no_daemon(room: Room, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    build = build_of(room)
    for address in (f"unix://{tmp_path}/none.sock", "tcp://127.0.0.1:1", "ssh://host"):
        monkeypatch.setenv("DOCKER_HOST", address)
        with pytest.raises(DaemonError) as caught:
            export(parse_output("type=docker"), build)
        assert address in str(caught.value)
        assert "dest=FILE" in dict(caught.value.diagnostic.notes)["help"]


@pytest.mark.docker
@pytest.mark.parametrize("compression", ["gzip", "uncompressed"])
def test_loading_into_docker(room: Room, compression: str) -> None:
    if not os.environ.get("DOCKER_HOST"):
        pytest.skip("DOCKER_HOST is not set")
    name = f"pybuild-test-{os.getpid()}:load"
    found = export(parse_output(f"type=docker,compression={compression},name={name}"), build_of(room))
    try:
        run = subprocess.run(
            ["docker", "image", "inspect", "-f", "{{.Id}}", name], capture_output=True, text=True, check=True
        )
        # The classic image store names an image by its config, containerd's by its manifest.
        names = (found["containerimage.config.digest"], found["containerimage.digest"])
        assert run.stdout.strip() in names
    finally:
        subprocess.run(["docker", "rmi", "-f", name], capture_output=True, check=False)


@pytest.mark.docker
def test_docker_says_what_is_wrong() -> None:
    if not os.environ.get("DOCKER_HOST"):
        pytest.skip("DOCKER_HOST is not set")
    from pybuild.runtime.export.daemon import load

    with pytest.raises(DaemonError, match="could not load"):
        load(lambda sink: sink.write(b"junk" * 300))


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")
def test_skopeo_reads_both_forms(room: Room, tmp_path: Path) -> None:
    build = build_of(room, tags=["app:1"])
    export(parse_output(f"type=oci,dest={tmp_path}/o,tar=false"), build)
    export(parse_output(f"type=docker,dest={tmp_path}/d.tar"), build)
    policy = tmp_path / "policy.json"
    policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    for source, target in (
        (f"oci:{tmp_path}/o:1", f"docker-archive:{tmp_path}/x.tar:app:1"),
        (f"docker-archive:{tmp_path}/d.tar:app:1", f"oci:{tmp_path}/y:1"),
    ):
        run = subprocess.run(
            ["skopeo", "--policy", policy, "copy", source, target], capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
    assert verify_layout(f"{tmp_path}/y") == []
