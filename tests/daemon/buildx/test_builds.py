"""`docker buildx build` against pybuild's daemon."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.daemon.buildx.conftest import Buildx
from tests.differential.imagetree import read_images

from pybuild.runtime.verify.archives import verify_docker_archive, verify_layout

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]


def unpacked(archive: Path) -> Path:
    """The directory of an archive's files."""
    directory = archive.with_suffix(".files")
    with tarfile.open(archive) as opened:
        opened.extractall(directory, filter="data")
    return directory


def dockerfile(root: Path, text: str) -> Path:
    root.mkdir(exist_ok=True)
    (root / "Dockerfile").write_text(text)
    return root


def test_files(buildx: Buildx, project: Path, tmp_path: Path) -> None:
    buildx("build", "--build-arg", "WORD=hello", "-o", f"type=local,dest={tmp_path}/out", str(project))
    assert (tmp_path / "out/made").read_text() == "one\ntwo\nhello\n"
    buildx("build", "-o", f"type=tar,dest={tmp_path}/out.tar", str(project))
    with tarfile.open(tmp_path / "out.tar") as archive:
        assert archive.getnames() == ["made"]


def test_an_oci_archive(buildx: Buildx, project: Path, tmp_path: Path) -> None:
    archive, told = tmp_path / "image.tar", tmp_path / "told.json"
    buildx(
        "build",
        "-t",
        "some/name:1",
        "-o",
        f"type=oci,dest={archive}",
        "--metadata-file",
        str(told),
        str(project),
    )
    assert not verify_layout(str(unpacked(archive)))
    (image,) = read_images(archive).values()
    assert image.config["config"]["Env"][-1] == "A=1"
    assert image.config["config"]["Labels"] == {"of": "tests"}
    assert image.tree[b"made"].content is not None
    metadata = json.loads(told.read_text())
    index = json.loads((unpacked(archive) / "index.json").read_text())["manifests"][0]
    assert metadata["containerimage.digest"] == index["digest"]
    assert metadata["containerimage.descriptor"]["digest"] == index["digest"]
    assert metadata["image.name"] == "docker.io/some/name:1"


def test_a_docker_archive(buildx: Buildx, project: Path, tmp_path: Path) -> None:
    """What `--load` would have a Docker daemon read."""
    archive = tmp_path / "image.tar"
    buildx("build", "-t", "some/name:1", "-o", f"type=docker,dest={archive}", str(project))
    assert not verify_docker_archive(str(archive))
    (entry,) = json.loads((unpacked(archive) / "manifest.json").read_text())
    assert entry["RepoTags"] == ["some/name:1"]


def test_a_push(buildx: Buildx, project: Path, registry: str) -> None:
    reference = f"{registry}/pybuild-buildx/{uuid.uuid4().hex[:8]}:1"
    buildx("build", "-t", reference, "--push", str(project))
    found = json.loads(buildx("imagetools", "inspect", "--raw", reference))
    assert len(found["layers"]) == 1
    assert subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", f"docker://{reference}"], capture_output=True, check=True
    )


def test_platforms(buildx: Buildx, tmp_path: Path) -> None:
    root = dockerfile(tmp_path / "context", "FROM scratch\nARG TARGETARCH\nCOPY f-$TARGETARCH /f\n")
    (root / "f-amd64").write_text("amd64")
    (root / "f-arm64").write_text("arm64")
    archive = tmp_path / "image.tar"
    platforms = "linux/amd64,linux/arm64"
    buildx("build", "--platform", platforms, "-o", f"type=oci,dest={archive}", str(root))
    assert {name.rpartition(" ")[2] for name in read_images(archive)} == set(platforms.split(","))
    buildx("build", "--platform", platforms, "-o", f"type=local,dest={tmp_path}/out", str(root))
    assert (tmp_path / "out/linux_arm64/f").read_text() == "arm64"


def test_attestations(buildx: Buildx, project: Path, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    buildx("build", "--provenance=mode=max", "-o", f"type=oci,dest={archive}", str(project))
    root = unpacked(archive)
    assert not verify_layout(str(root))

    def blob(digest: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            (root / "blobs/sha256" / digest.removeprefix("sha256:")).read_text()
        )
        return found

    index = blob(json.loads((root / "index.json").read_text())["manifests"][0]["digest"])
    image, attestation = index["manifests"]
    assert attestation["annotations"]["vnd.docker.reference.digest"] == image["digest"]
    (layer,) = blob(attestation["digest"])["layers"]
    statement = blob(layer["digest"])
    assert str(statement["predicateType"]).startswith("https://slsa.dev/provenance/")


def test_secrets(buildx: Buildx, tmp_path: Path, base_reference: str) -> None:
    root = dockerfile(
        tmp_path / "context",
        f"""FROM {base_reference} AS b
RUN --mount=type=secret,id=file,required=true --mount=type=secret,id=variable,target=/v,mode=0444 \
    cat /run/secrets/file /v >/got
FROM scratch
COPY --from=b /got /
""",
    )
    (tmp_path / "secret").write_text("from a file,")
    flags = ["--secret", f"id=file,src={tmp_path}/secret", "--secret", "id=variable,env=WORD"]
    buildx("build", "--no-cache", *flags, "-o", f"{tmp_path}/out", str(root), WORD="of the environment")
    assert (tmp_path / "out/got").read_text() == "from a file,of the environment"
    assert "secret file: not found" in buildx.failing("build", "--no-cache", str(root))


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    """The socket of an agent that holds a key."""
    if shutil.which("ssh-agent") is None:
        pytest.skip("needs ssh-agent")
    key, path = tmp_path / "key", tmp_path / "agent"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "the key", "-f", key], check=True)
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    while not path.exists():
        assert process.poll() is None
    subprocess.run(["ssh-add", "-q", key], env={**os.environ, "SSH_AUTH_SOCK": str(path)}, check=True)
    yield path
    process.terminate()
    process.wait()


def test_agents(buildx: Buildx, tmp_path: Path, agent: Path, base_reference: str) -> None:
    root = dockerfile(
        tmp_path / "context",
        f"""FROM {base_reference} AS b
COPY tools /
RUN --mount=type=ssh ssh-add -l >/got
FROM scratch
COPY --from=b /got /
""",
    )
    program = shutil.which("ssh-add")
    assert program is not None
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout.split()
    for path in [program, *(word for word in listed if word.startswith("/"))]:
        place = root / "tools" / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    buildx("build", "--no-cache-filter=b", "--ssh", f"default={agent}", "-o", f"{tmp_path}/out", str(root))
    assert "the key (ED25519)" in (tmp_path / "out/got").read_text()


def test_named_contexts(buildx: Buildx, tmp_path: Path, base_reference: str, base_layout: Path) -> None:
    root = dockerfile(
        tmp_path / "context",
        """FROM first AS one
FROM second AS two
FROM scratch
COPY --from=one /var/data/two /one
COPY --from=two /var/data/two /two
COPY --from=files /file /three
""",
    )
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").write_text("of another directory")
    contexts = {
        "first": f"docker-image://{base_reference}",
        "second": f"oci-layout://{base_layout}",
        "files": str(tmp_path / "other"),
    }
    flags = [word for name, value in contexts.items() for word in ("--build-context", f"{name}={value}")]
    buildx("build", *flags, "-o", f"{tmp_path}/out", str(root))
    found = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert found == {"one": "two\n", "two": "two\n", "three": "of another directory"}


def test_cache_mounts_and_cached_steps(buildx: Buildx, tmp_path: Path, base_reference: str) -> None:
    word = uuid.uuid4().hex
    text = f"FROM {base_reference} AS b\nRUN --mount=type=cache,target=/c,id={word} echo x >>/c/f; cp /c/f /got # @\n"
    for number, lines in ((1, "x\n"), (2, "x\nx\n")):
        root = dockerfile(
            tmp_path / "context", f"{text.replace('@', str(number))}FROM scratch\nCOPY --from=b /got /\n"
        )
        buildx("build", "-o", f"{tmp_path}/out", str(root))
        assert (tmp_path / "out/got").read_text() == lines
    assert "CACHED" in buildx("build", "--progress=plain", "-o", f"{tmp_path}/out", str(root))


def test_contexts_from_the_standard_input(buildx: Buildx, project: Path, tmp_path: Path) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        archive.add(project, ".")
    buildx("build", "-o", f"{tmp_path}/out", "-", stdin=data.getvalue())
    assert (tmp_path / "out/made").read_text() == "one\ntwo\ndefault\n"
    buildx("build", "-o", f"{tmp_path}/other", "-f", "-", str(project), stdin=b"FROM scratch\nCOPY src /s\n")
    assert sorted(path.name for path in (tmp_path / "other/s").iterdir()) == ["one", "two"]


def test_a_failed_step(buildx: Buildx, tmp_path: Path, base_reference: str) -> None:
    root = dockerfile(tmp_path / "context", f"FROM {base_reference}\n\nRUN echo why; exit 7\n")
    said = buildx.failing("build", "--progress=plain", str(root))
    assert 'process "/bin/sh -c echo why; exit 7" did not complete successfully: exit code: 7' in said
    assert "Dockerfile:3\n" in said
    assert ">>> RUN echo why; exit 7" in said


def test_a_mistake_in_a_dockerfile(buildx: Buildx, tmp_path: Path) -> None:
    said = buildx.failing("build", str(dockerfile(tmp_path / "context", "FROM scratch\nCOPPY a b\n")))
    assert "dockerfile parse error on line 2: unknown instruction: COPPY" in said
    said = buildx.failing("build", str(dockerfile(tmp_path / "context", "FROM scratch\nCOPY nothing /\n")))
    assert '"/nothing": not found' in said


@pytest.mark.parametrize("asked", ["outline", "targets"])
def test_what_a_dockerfile_offers(buildx: Buildx, project: Path, asked: str) -> None:
    said = buildx("build", f"--print={asked}", str(project), BUILDX_EXPERIMENTAL="1")
    assert ("WORD" if asked == "outline" else "built") in said
