"""The verifier on whole images: indexes, manifests, configs, archives, hostile JSON; and the command."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.runtime.verify.archives import verify
from pybuild.runtime.verify.findings import Unreadable
from pybuild.runtime.verify.jsontext import decode

OCI = "application/vnd.oci.image"
MANIFEST, INDEX, CONFIG, LAYER = (
    f"{OCI}.manifest.v1+json",
    f"{OCI}.index.v1+json",
    f"{OCI}.config.v1+json",
    f"{OCI}.layer.v1.tar+gzip",
)
AMD64 = {"architecture": "amd64", "os": "linux"}


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(name: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(name))
    return out.getvalue()


class Layout:
    """A layout whose parts may be changed before it is written: `config`, `manifest`, `index` with its entries."""

    def __init__(self, root: Path, names: tuple[str, ...] = ("a", "b")) -> None:
        self.root = root
        (root / "blobs" / "sha256").mkdir(parents=True)
        tars = [layer(name) for name in names]
        self.config: dict[str, Any] = {
            **AMD64,
            "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in tars]},
        }
        layers = [{"mediaType": LAYER, **self.put(gzip.compress(tar, mtime=0))} for tar in tars]
        self.manifest: dict[str, Any] = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": layers}
        self.entry: dict[str, Any] = {"mediaType": MANIFEST, "platform": AMD64}
        self.index: dict[str, Any] = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [self.entry]}
        self.config_type = CONFIG

    def put(self, data: bytes) -> dict[str, Any]:
        self.path(digest(data)).write_bytes(data)
        return {"digest": digest(data), "size": len(data)}

    def path(self, name: str) -> Path:
        return self.root / "blobs" / "sha256" / name[7:]

    def write(self) -> Layout:
        config = self.put(json.dumps(self.config).encode())
        self.manifest = {"config": {"mediaType": self.config_type, **config}, **self.manifest}
        self.entry |= self.put(json.dumps(self.manifest).encode())
        (self.root / "index.json").write_text(json.dumps(self.index))
        (self.root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        return self

    def archive(self, path: Path) -> Path:
        with tarfile.open(path, "w") as tar:
            for file in sorted(self.root.rglob("*")):
                tar.add(file, str(file.relative_to(self.root)), recursive=False)
        return path


def swapped(it: Layout) -> None:
    it.manifest["layers"].reverse()


def embedded(it: Layout) -> None:
    it.manifest["layers"][0]["data"] = "AAAA"


def within(it: Layout) -> None:
    for _ in range(10):
        inner = {"schemaVersion": 2, "mediaType": INDEX, "manifests": it.index["manifests"]}
        it.write()
        it.index["manifests"] = [{"mediaType": INDEX, **it.put(json.dumps(inner).encode())}]


def sha512(it: Layout) -> None:
    blob = gzip.compress(layer("a"), mtime=0)
    name = hashlib.sha512(blob).hexdigest()
    (it.root / "blobs" / "sha512").mkdir()
    (it.root / "blobs" / "sha512" / name).write_bytes(blob[:-1] + b"\xff")
    it.manifest["layers"][0] |= {"digest": f"sha512:{name}"}


def update(part: str, **values: object) -> Callable[[Layout], None]:
    def change(it: Layout) -> None:
        target = it.manifest["layers"][0] if part == "layer" else getattr(it, part)
        target.update(values)

    return change


BAD: list[tuple[str, Callable[[Layout], None]]] = [
    ("has the diff ID", swapped),
    ("a field `data` of other bytes", embedded),
    ("an index within 8 others", within),
    ("has the digest sha512:", sha512),
    ("annotations` that is not strings", update("layer", annotations={"a": 1})),
    ("has annotations that are not strings", update("manifest", annotations=["a"])),
    ("has annotations that are not strings", update("index", annotations={"a": None})),
    ("platform` that is not a platform", update("entry", platform={"os": ["linux"]})),
    ("has the size", update("layer", size=True)),
    ("has the digest `sha256:../../x`", update("layer", digest="sha256:../../x")),
    ("its layers are not a list", update("manifest", layers={"a": 1})),
    ("a descriptor is not an object", update("manifest", layers=[3])),
    ("a descriptor is not an object", update("manifest", subject="x")),
    ("has gzip bytes", update("layer", mediaType=f"{OCI}.layer.v1.tar+zstd")),
    ("has a config of type", lambda it: setattr(it, "config_type", "text/plain")),
    ("it has no rootfs", lambda it: it.config.pop("rootfs")),
    ("its diff IDs are no list of digests", update("config", rootfs={"diff_ids": ["x"]})),
    ("of another type than `layers`", lambda it: it.config["rootfs"].update(type="x")),
    ("`created` that is no time", update("config", created="yesterday")),
    ("`config` that is not an object", update("config", config=[])),
    ("`config.Env` that is not a list of strings", update("config", config={"Env": {"A": "b"}})),
    ("the variable `=x`", update("config", config={"Env": ["A=b", "=x"]})),
    ("a history that is no list of objects", update("config", history=["x"])),
    ("schemaVersion", update("manifest", schemaVersion=True)),
    ("media type that is no string", update("manifest", mediaType=[])),
]


@pytest.mark.parametrize(("what", "change"), BAD, ids=range(len(BAD)))
def test_damage(tmp_path: Path, what: str, change: Callable[[Layout], None]) -> None:
    layout = Layout(tmp_path / "l")
    assert verify(str(Layout(tmp_path / "sound").write().root)).findings == []
    change(layout)
    report = verify(str(layout.write().root))
    assert any(what in repr(problem) for problem in report.problems), report.findings
    # What is wrong with `index.json` is not the image's.
    if any(">" in problem.path for problem in report.problems):
        assert all(not image.sound for image in report.images)
    for finding in report.problems:
        assert finding.path, finding


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("nested too deeply", b"[" * 100_000),
        ("nested too deeply", b'{"a":' * 200 + b"1" + b"}" * 200),
        ("the key `a` twice", b'{"a":1,"a":2}'),
        ("it has NaN", b'{"a":NaN}'),
        ("isn't UTF-8", b'{"a":"\xff"}'),
        ("it is not JSON", b'{"a":1'),
        ("Exceeds the limit", b"1" * 10_000),
    ],
)
def test_hostile_json(tmp_path: Path, what: str, text: bytes) -> None:
    layout = Layout(tmp_path / "l").write()
    (layout.root / "index.json").write_bytes(text)
    (problem,) = verify(str(layout.root)).problems
    assert what in repr(problem)
    layout.entry |= layout.put(text)
    (layout.root / "index.json").write_text(json.dumps(layout.index))
    assert any(what in repr(problem) for problem in verify(str(layout.root)).problems)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )
)
def test_json_is_as_everybody_reads_it(value: object) -> None:
    assert decode(json.dumps(value).encode()) == value


def test_a_manifest_that_lists_itself(tmp_path: Path) -> None:
    """A blob may claim any digest, so that a walk could go round for ever."""
    layout = Layout(tmp_path / "l").write()
    name = "sha256:" + "0" * 64
    entry = {"mediaType": INDEX, "digest": name, "size": 1}
    layout.path(name).write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}))
    (layout.root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    assert any("has the digest" in repr(problem) for problem in verify(str(layout.root)).problems)


def test_a_manifest_that_is_listed_twice(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "l").write()
    layout.index["manifests"].append(
        {**layout.entry, "annotations": {"org.opencontainers.image.ref.name": "a"}}
    )
    assert verify(str(layout.write().root)).findings == []
    layout.index["manifests"].append({**layout.entry, "size": 7})
    assert "is listed twice" in repr(verify(str(layout.write().root)).problems)


def test_findings_have_an_end(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "l").write()
    missing = [{**layout.entry, "digest": f"sha256:{number:064}"} for number in range(3000)]
    layout.index["manifests"] = missing
    (layout.root / "index.json").write_text(json.dumps(layout.index))
    report = verify(str(layout.root))
    assert (report.count, len(report.images), len(report.findings)) == (3000, 3000, 1001)
    assert "which are left out" in repr(report.findings[-1])


def test_unreferenced_blobs_are_a_note(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "l").write()
    layout.put(b"left behind")
    for path in (layout.root, layout.archive(tmp_path / "l.tar")):
        report = verify(str(path))
        assert report.problems == []
        assert "1 blob that nothing refers to, of 11 bytes" in repr(report.findings[0])
        (image,) = report.images
        assert (image.sound, image.platform, image.layers) == (True, "linux/amd64", 2)


def test_links_out_of_a_layout_are_not_followed(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "l").write()
    blob = layout.path(layout.manifest["layers"][0]["digest"])
    blob.rename(tmp_path / "outside")
    blob.symlink_to(tmp_path / "outside")
    assert any("leads outside" in repr(problem) for problem in verify(str(layout.root)).problems)
    blob.unlink()
    os.mkfifo(blob)
    assert any("is no file" in repr(problem) for problem in verify(str(layout.root)).problems)


def test_archives_that_are_damaged_themselves(tmp_path: Path) -> None:
    path = Layout(tmp_path / "l").write().archive(tmp_path / "l.tar")
    with tarfile.open(path, "a") as tar:
        tar.addfile(tarfile.TarInfo("index.json"))
        tar.addfile(tarfile.TarInfo("../x"))
    shown = repr(verify(str(path)).problems)
    assert "the member `index.json` twice" in shown
    assert "the member `../x`" in shown or "a member `../x` that leads outside" in shown


def test_archives_that_are_cut_short(tmp_path: Path) -> None:
    path = Layout(tmp_path / "l").write().archive(tmp_path / "l.tar")
    last = len(path.read_bytes().rstrip(b"\0")) + 512
    for end in range(last - last % 512, 0, -512):
        os.truncate(path, end)
        try:
            assert verify(str(path)).problems
        except Unreadable:
            pass


def docker_save(path: Path, *, config: dict[str, Any] | None = None, name: str = "1/layer.tar") -> Path:
    """An archive of Docker before version 25: layers as tar archives by a name, one a link to another."""
    tar_bytes = layer("a")
    value = config or {**AMD64, "rootfs": {"type": "layers", "diff_ids": [digest(tar_bytes)] * 2}}
    data = json.dumps(value).encode()
    config_name = f"{digest(data)[7:]}.json"
    manifest = [{"Config": config_name, "RepoTags": ["a:b"], "Layers": [name, "2/layer.tar"]}]
    with tarfile.open(path, "w") as tar:
        for member, content in (
            (config_name, data),
            ("1/layer.tar", tar_bytes),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        info = tarfile.TarInfo("2/layer.tar")
        info.type, info.linkname = tarfile.SYMTYPE, "../1/layer.tar"
        tar.addfile(info)
    return path


def test_archives_of_docker_of_old(tmp_path: Path) -> None:
    report = verify(str(docker_save(tmp_path / "d.tar")))
    assert report.findings == []
    (image,) = report.images
    assert (image.sound, image.layers, image.platform) == (True, 2, "linux/amd64")
    other = {**AMD64, "rootfs": {"type": "layers", "diff_ids": [digest(b""), digest(layer("a"))]}}
    assert "layer `1/layer.tar`: has the diff ID" in repr(
        verify(str(docker_save(tmp_path / "e.tar", config=other))).problems
    )
    for name in ("../layer.tar", "/etc/passwd", "3/layer.tar"):
        report = verify(str(docker_save(tmp_path / "f.tar", name=name)))
        assert "is missing" in repr(report.problems)
        assert not report.images[0].sound


def test_what_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "gz").write_bytes(gzip.compress(b"x"))
    (tmp_path / "text").write_text("text" * 1000)
    (tmp_path / "empty").write_bytes(b"")
    os.mkfifo(tmp_path / "fifo")
    for name, what in (
        ("gz", "compressed with gzip"),
        ("text", "neither"),
        ("empty", "neither"),
        ("fifo", "no file"),
        ("", "no image"),
        ("none", "cannot read"),
        ("z\0", "zero byte"),
    ):
        with pytest.raises(Unreadable, match=what):
            verify(f"{tmp_path}/{name}")


def command(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pybuild", "verify", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "l").write()
    path = str(layout.archive(tmp_path / "l.tar"))
    name = layout.entry["digest"]
    size = (
        layout.entry["size"]
        + layout.manifest["config"]["size"]
        + sum(one["size"] for one in layout.manifest["layers"])
    )
    shown = f"{size / 1000:.1f} kB" if size >= 1000 else f"{size} B"
    assert command(str(layout.root), path) == (0, f"ok  {name}  linux/amd64  2 layers, {shown}\n" * 2, "")
    code, out, err = command(path, str(tmp_path))
    assert (code, len(out.splitlines())) == (2, 1)
    assert "is no image: it has neither index.json nor manifest.json" in err
    assert command()[0] == 2
    blob = layout.path(layout.manifest["layers"][1]["digest"])
    blob.write_bytes(blob.read_bytes() + b"\0")
    code, out, err = command(str(layout.root))
    assert (code, out) == (1, f"bad {name}  linux/amd64  2 layers, {shown}\n")
    title, place, help = err.splitlines()[:3]
    assert title.startswith(f"error: layer sha256:{blob.name} ")
    assert place == f" = in: {layout.root}: index.json > manifests[0] > layers[1]"
    assert help.startswith(" = help: its bytes were changed")
    code, out, _ = command("--format=json", str(layout.root), path)
    bad, good = json.loads(out)
    assert (code, bad["sound"], good["sound"], good["findings"]) == (1, False, True, [])
    assert {finding["level"] for finding in bad["findings"]} == {"error"}
    code, _, err = command("--max-layer-size=1k", path)
    assert code == 1
    assert "longer than 1024 bytes" in err
