"""Every output, several at once, and what others make of them: skopeo, crun, Docker."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import time
from pathlib import Path

import pytest
from tests.e2e.building import FIXED_TIME, Builder, blob, manifest_of, steps_run
from tests.e2e.soundness import faults

from pybuild.runtime.content.store import Store
from pybuild.runtime.verify.archives import verify_docker_archive, verify_layout, verify_stored

pytestmark = [pytest.mark.root, pytest.mark.crun]

DOCKERFILE = """\
FROM base AS made
COPY --chown=3:4 files /files/
RUN echo built >/built && chmod 600 /built && ln /built /again && rm /var/data/one
FROM base
COPY --from=made /built /again /files/ /out/
RUN cat /out/built >/copy && rm -r /var/data/sub && mkdir /var/data/sub
ENV GREETING=hello
WORKDIR /out
CMD ["sh", "-c", "echo $GREETING from $(pwd): $(cat built)"]
"""
SAYS = "hello from /out: built\n"
FILES = {f"files/{number}": f"{number}\n" * 999 for number in range(20)}


@pytest.fixture
def context(builder: Builder) -> Path:
    return builder.context("context", DOCKERFILE, **FILES)


def reference(registry: str, name: str) -> str:
    return f"{registry}/e2e/{name}:1"


def test_all_at_once(builder: Builder, context: Path) -> None:
    place = builder.place
    outputs = {
        "oci": f"type=oci,dest={place}/oci.tar",
        "layout": f"type=oci,tar=false,dest={place}/layout,compression=zstd",
        "docker": f"type=docker,dest={place}/docker.tar,name=made:1",
        "plain": f"type=oci,dest={place}/plain.tar,compression=uncompressed",
        "local": f"type=local,dest={place}/tree",
        "tar": f"type=tar,dest={place}/tree.tar",
        "image": "type=image,name=kept:1",
        "none": "type=none",
    }
    flags = [word for output in outputs.values() for word in ("-o", output)]
    outcome = builder.build(context, *flags)
    assert verify_layout(str(place / "oci.tar")) == []
    assert verify_layout(str(place / "layout")) == []
    assert verify_layout(str(place / "plain.tar")) == []
    assert verify_docker_archive(str(place / "docker.tar")) == []
    assert (place / "tree" / "copy").read_text() == "built\n"
    with tarfile.open(place / "tree.tar") as opened:
        names = {member.name.rstrip("/") for member in opened}
    on_disk = {str(path.relative_to(place / "tree")) for path in (place / "tree").rglob("*")}
    assert names == on_disk
    with Store.open(str(builder.store)) as store:
        rows = store.query("SELECT name, digest, media_type FROM image")
        assert [row[0] for row in rows] == ["docker.io/library/kept:1"]
        assert verify_stored(store, str(rows[0][1]), str(rows[0][2])) == []
    assert str(rows[0][1]) in outcome.err
    assert faults(builder.store) == []


def test_standard_output(builder: Builder, context: Path) -> None:
    import sys

    command = builder.command(builder.words([context, "-o", "-"]))
    assert command[0] == sys.executable
    done = subprocess.run(command, env=builder.variables(), capture_output=True, check=True, timeout=120)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as opened:
        assert "copy" in opened.getnames()


def test_an_image_of_the_store_is_a_base(builder: Builder, context: Path) -> None:
    builder.build(context, "-t", "made:1")
    second = builder.context("second", 'FROM made:1\nRUN test "$(cat /out/built)" = built\n')
    builder.build(second, "-t", "second")


def run_bundle(layout: Path, place: Path) -> str:
    """What the image prints under crun alone: its layers unpacked by hand into a bundle written by hand."""
    rootfs = place / "bundle" / "rootfs"
    rootfs.mkdir(parents=True)
    manifest = manifest_of(layout)
    layers = manifest["layers"]
    assert isinstance(layers, list)
    for layer in layers:
        _apply(gzip.decompress(blob(layout, layer["digest"])), rootfs)
    digest = manifest["config"]["digest"]  # type: ignore[index]
    config = json.loads(blob(layout, digest))["config"]
    subprocess.run(["crun", "spec"], cwd=place / "bundle", check=True, timeout=20)
    spec_path = place / "bundle" / "config.json"
    spec = json.loads(spec_path.read_text())
    spec["process"].update(terminal=False, args=config["Cmd"], env=config["Env"], cwd=config["WorkingDir"])
    spec["root"]["readonly"] = False
    spec["linux"].pop("resources", None)
    spec_path.write_text(json.dumps(spec))
    crun = ["crun", "--root", str(place / "state"), "--cgroup-manager=disabled", "run", "--bundle"]
    hide = 'if mountpoint -q /sys/fs/cgroup/unified; then umount -l /sys/fs/cgroup/unified; fi; exec "$@"'
    command = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        hide,
        "sh",
        *crun,
        str(place / "bundle"),
        f"e2e-{os.getpid()}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _apply(layer: bytes, rootfs: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(layer)) as opened:
        for member in opened:
            directory, _, name = member.name.rpartition("/")
            if name.startswith(".wh."):
                target = rootfs / directory / name.removeprefix(".wh.")
                subprocess.run(["rm", "-rf", "--", target], check=True, timeout=20)
            else:
                if not member.isdir():
                    (rootfs / member.name).unlink(missing_ok=True)
                opened.extract(member, rootfs, filter="fully_trusted")


@pytest.mark.registry
def test_pushed_images_run_under_crun(builder: Builder, context: Path, docker_registry: str) -> None:
    name = reference(docker_registry, "pushed")
    pushed = builder.build(context, "--push", "-t", name)
    layout = builder.place / "copied"
    copy = ["skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{name}", f"oci:{layout}:latest"]
    subprocess.run(copy, check=True, timeout=60)
    assert verify_layout(str(layout)) == []
    inspect = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}"]
    manifest = subprocess.run(inspect, check=True, timeout=60, capture_output=True).stdout
    assert f"sha256:{hashlib.sha256(manifest).hexdigest()}" == pushed.digest
    assert run_bundle(layout, builder.place) == SAYS
    again = builder.build(context, "--push", "-t", reference(docker_registry, "elsewhere"))
    assert again.digest == pushed.digest
    assert steps_run(again) == []


@pytest.mark.registry
def test_a_pushed_image_is_pulled_back(builder: Builder, context: Path, docker_registry: str) -> None:
    name = reference(docker_registry, "back")
    builder.build(context, "--push", "-t", name)
    other = builder.with_store(builder.place / "other-store")
    second = builder.context("second", f"FROM {name}\nRUN cat /copy >/copy2\n")
    tree = builder.place / "tree"
    other.build(second, "-o", f"type=local,dest={tree}")
    assert (tree / "copy2").read_text() == "built\n"


@pytest.mark.docker
def test_loaded_images_run_in_docker(builder: Builder, context: Path) -> None:
    name = f"pybuild-e2e-{os.getpid()}:1"
    host = os.environ["DOCKER_HOST"]
    builder.in_environment(DOCKER_HOST=host).build(context, "--load", "-t", name)
    try:
        run = ["docker", "run", "--rm", "--network=none", name]
        done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode, done.stdout) == (0, SAYS), done.stderr
    finally:
        subprocess.run(["docker", "rmi", "-f", name], capture_output=True, timeout=60, check=False)


def test_load_without_docker(builder: Builder, context: Path) -> None:
    absent = builder.in_environment(DOCKER_HOST="unix:///nowhere/docker.sock")
    outcome = absent.build(context, "--load", "-t", "x:1", code=1)
    assert "/nowhere/docker.sock" in outcome.err
    assert "= help:" in outcome.err


def test_result_files(builder: Builder, context: Path) -> None:
    iid, metadata = builder.place / "iid", builder.place / "metadata.json"
    flags = ("--iidfile", str(iid), "--metadata-file", str(metadata))
    outcome = builder.build(context, "-t", "made:1", *flags)
    found = json.loads(metadata.read_text())
    assert found["containerimage.digest"] == outcome.digest
    assert found["containerimage.descriptor"]["digest"] == outcome.digest
    assert found["image.name"] == "docker.io/library/made:1"
    with Store.open(str(builder.store)) as store:
        manifest = json.loads(store.blobs.read(outcome.digest))
    assert found["containerimage.config.digest"] == manifest["config"]["digest"]
    assert iid.read_text() in (outcome.digest, found["containerimage.config.digest"])


@pytest.mark.docker
@pytest.mark.registry
def test_result_files_are_buildx_s(builder: Builder, docker_registry: str) -> None:
    """The same keys, and the same kind of digest in the id file, for the same outputs."""
    base = reference(docker_registry, "base")
    push = [
        "skopeo",
        "copy",
        "-q",
        "--dest-tls-verify=false",
        f"oci:{builder.base}:latest",
        f"docker://{base}",
    ]
    subprocess.run(push, check=True, timeout=60)
    context = builder.context("context", f"FROM {base}\nCOPY f /\n", f="x")
    keys, ids = [], []
    for who in ("ours", "theirs"):
        place = builder.place / who
        place.mkdir()
        output = f"type=oci,dest={place}/image.tar"
        flags = ["-o", output, f"--metadata-file={place}/metadata", f"--iidfile={place}/iid"]
        if who == "ours":
            builder.build(context, *flags)
        else:
            command = ["docker", "buildx", "build", "--network=host", *flags, str(context)]
            environment = {**os.environ, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
            subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
        metadata = json.loads((place / "metadata").read_text())
        keys.append({key for key in metadata if not key.startswith("buildx.")})
        named = {value: key for key, value in metadata.items() if isinstance(value, str)}
        ids.append(named[(place / "iid").read_text()])
    assert keys[0] == keys[1]
    assert ids[0] == ids[1]


def test_the_same_image_everywhere(builder: Builder, context: Path) -> None:
    """Two stores, two times, two umasks, one processor and all of them, files of other ages."""
    images = set()
    ways: tuple[tuple[str, ...], ...] = ((), ("taskset", "1"), ("sh", "-c", 'umask 077; exec "$@"', "sh"))
    for number, words in enumerate(ways):
        one = builder.with_store(builder.place / f"store{number}").in_environment(**FIXED_TIME)
        out = builder.place / f"{number}.tar"
        one.through(*words).build(context, "-o", f"type=oci,dest={out},rewrite-timestamp=true")
        assert verify_layout(str(out)) == []
        images.add(out.read_bytes())
        for path in context.rglob("*"):
            os.utime(path, (time.time() - 1000 * number, time.time() - 5000 * number))
        time.sleep(1.1)
    assert len(images) == 1


@pytest.mark.parametrize("compression", ["gzip", "zstd", "uncompressed"])
def test_compressed_alike_by_any_number_of_threads(builder: Builder, compression: str) -> None:
    big = os.urandom(1 << 20) * 5 + bytes(9 << 20)
    context = builder.context("context", "FROM scratch\nCOPY big /\n", big=big)
    images = set()
    for number, words in enumerate(((), ("taskset", "1"))):
        one = (
            builder.with_store(builder.place / f"store{number}").in_environment(**FIXED_TIME).through(*words)
        )
        out = builder.place / f"{number}.tar"
        one.build(context, "-o", f"type=oci,dest={out},rewrite-timestamp=true,compression={compression}")
        images.add(out.read_bytes())
    assert len(images) == 1


def test_times_that_64_bits_of_nanoseconds_cannot_hold(builder: Builder) -> None:
    """Files before 1970 and after 2262 keep their times, in a first build and in one that has seen them."""
    times = {"far": 9_300_000_000, "farther": 13_500_000_000, "negative": -2, "old": -2_000_000_000}
    context = builder.context("times", "FROM scratch\nCOPY . /\n", **dict.fromkeys(times, "x"))
    for name, seconds in times.items():
        os.utime(context / name, (seconds, seconds))
    kept = {name: int((context / name).stat().st_mtime) for name in times}
    for number in range(2):
        (context / "new").write_text(str(number))
        builder.build(
            context, "-o", f"type=tar,dest={builder.place}/times.tar", "-o", f"{builder.place}/out{number}"
        )
        with tarfile.open(builder.place / "times.tar") as archive:
            assert {name: archive.getmember(name).mtime for name in times} == kept
        assert {name: int((builder.place / f"out{number}" / name).stat().st_mtime) for name in times} == kept
