"""The exporters of a Solve, by a client: what arrives, what is answered, what is refused."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path

import pytest
from tests.daemon.client.bridge import Gateway, Result, by_platform, result
from tests.daemon.client.contents import Blobs, Stores
from tests.daemon.client.control import Daemon
from tests.daemon.client.files import Results
from tests.daemon.client.offers import Exporters
from tests.daemon.client.solving import Build, SolveFailed, solve
from tests.daemon.export.exported import PLATFORMS, files, layout_of, members, oci, several

from pybuild.compiler.protos import exporter_pb2
from pybuild.runtime.registry.client import Client
from pybuild.runtime.verify.archives import verify_docker_archive

pytestmark = pytest.mark.root


def test_archives(daemon: Daemon, tmp_path: Path) -> None:
    results = Results()
    exporters = [("oci", {"name": "app,app:2"}), ("docker", {"name": "app"}), ("docker", {})]
    solved = solve(daemon, Build(files(f="1"), exporters=exporters, offers=[results.offer()]))
    (archive,) = results.of("0")
    assert archive.told("image.name") == "docker.io/library/app:latest,docker.io/library/app:2"
    assert json.loads(members(archive.data)["index.json"])["manifests"][1]["annotations"][
        "io.containerd.image.name"
    ] == ("docker.io/library/app:2")
    for id in ("1", "2"):
        (archive,) = results.of(id)
        (tmp_path / id).write_bytes(archive.data)
        assert verify_docker_archive(str(tmp_path / id)) == []
    assert json.loads(members(archive.data)["manifest.json"])[0]["RepoTags"] is None
    assert solved.response["containerimage.digest"] == archive.told("containerimage.digest")


def test_answers(daemon: Daemon, tmp_path: Path) -> None:
    metadata = {"frontend.said": b"this", "other": b"that"}
    layout, response = oci(
        daemon, tmp_path, frontend=lambda gateway: result(gateway.ref(files(f="1")), metadata)
    )
    descriptor = json.loads(b64decode(response["containerimage.descriptor"]))
    assert descriptor["digest"] == layout.root["digest"] == response["containerimage.digest"]
    assert descriptor["platform"]["os"] == "linux"
    assert response["containerimage.config.digest"] == layout.target["config"]["digest"]
    assert response["frontend.said"] == "this"
    assert "other" not in response
    config = layout.json(response["containerimage.config.digest"])
    assert config["config"]["Env"][0].startswith("PATH=")


def test_several_platforms(daemon: Daemon, tmp_path: Path) -> None:
    annotations = {"annotation-index.a": b"1", "annotation[linux/arm64].b": b"2"}
    layout, response = oci(daemon, tmp_path, {"annotation.c": "3"}, several(annotations), offers=[])
    assert [one["platform"]["architecture"] for one in layout.target["manifests"]] == ["amd64", "arm64"]
    assert layout.target["annotations"] == {"a": "1"}
    first, second = (layout.json(one["digest"]) for one in layout.target["manifests"])
    assert (first["annotations"], second["annotations"]) == ({"c": "3"}, {"b": "2", "c": "3"})
    assert "containerimage.config.digest" not in response


def test_files(daemon: Daemon) -> None:
    results = Results("0", "2")
    exporters = [("local", {}), ("tar", {}), ("local", {"source-date-epoch": "5"})]
    build = Build(exporters=exporters, offers=[results.offer()])
    solve(daemon, build, several())
    sent = {path: data for one in results.of("0") for path, data in one.files.data.items()}
    assert sent == {"linux_amd64/f": b"linux/amd64", "linux_arm64/f": b"linux/arm64"}
    (archive,) = results.of("1")
    assert members(archive.data) == sent
    times = {stat.modTime for one in results.of("2") for stat in one.files.stats.values()}
    assert times == {5_000_000_000}


def test_one_directory_for_all_platforms(daemon: Daemon) -> None:
    results = Results("0")
    build = Build(exporters=[("local", {"platform-split": "false"})], offers=[results.offer()])
    with pytest.raises(SolveFailed, match="cannot overwrite f from linux/amd64 with linux/arm64"):
        solve(daemon, build, several())
    assert results.streams == []

    def frontend(gateway: Gateway) -> Result:
        refs = {one: gateway.ref(files(**{one[6:]: one})) for one in PLATFORMS}
        return by_platform(refs)

    solve(daemon, Build(exporters=build.exporters, offers=[results.offer()]), frontend)
    assert sorted(path for one in results.streams for path in one.files.data) == ["amd64", "arm64"]


def test_the_empty_file_system(daemon: Daemon, tmp_path: Path) -> None:
    results = Results("0")
    solve(daemon, Build(exporters=[("local", {}), ("tar", {})], offers=[results.offer()]), lambda _: None)
    assert results.of("0")[0].files.stats == {}
    assert members(results.of("1")[0].data) == {}
    layout, _ = oci(daemon, tmp_path, frontend=lambda _: None)
    assert layout.target["layers"] == []


@pytest.mark.registry
def test_pushes(daemon: Daemon, registry: str) -> None:
    names = f"{registry}/pybuild-export:a,{registry}/pybuild-export:b"
    attrs = {"name": names, "push": "true", "registry.insecure": "true"}
    solved = solve(daemon, Build(files(f="pushed"), exporters=[("image", attrs)]))
    assert solved.response["image.name"] == names
    with Client() as client:
        repository = client.repository(registry, "pybuild-export")
        for tag in ("a", "b"):
            assert repository.has_manifest(tag) == solved.response["containerimage.digest"]
    attrs = {"name": f"{registry}/pybuild-export", "push": "", "push-by-digest": "true"}
    solved = solve(daemon, Build(files(f="untagged"), exporters=[("image", attrs)]))
    with Client() as client:
        repository = client.repository(registry, "pybuild-export")
        assert repository.has_manifest(solved.response["containerimage.digest"])
        assert not repository.has_manifest("latest")
    refused = {"name": "127.0.0.1:1/none", "push": "true"}
    with pytest.raises(SolveFailed, match=r"failed to push 127\.0\.0\.1:1/none:latest: "):
        solve(daemon, Build(files(f="1"), exporters=[("image", refused)]))


def test_an_image_without_a_name(daemon: Daemon) -> None:
    attrs = {"dangling-name-prefix": "moby-dangling", "push": "true"}
    response = solve(daemon, Build(files(f="1"), exporters=[("image", attrs)])).response
    assert response["image.name"] == "moby-dangling@" + response["containerimage.digest"]


def test_a_layout_in_the_clients_store(daemon: Daemon) -> None:
    store = Blobs()
    offers = [Stores({"export": store}).offer()]
    response = solve(
        daemon, Build(files(f="1"), exporters=[("oci", {"tar": "false"})], offers=offers)
    ).response
    manifest = json.loads(store.blobs[response["containerimage.digest"]])
    assert {manifest["config"]["digest"], manifest["layers"][0]["digest"]} < store.blobs.keys()


def test_exporters_of_the_client(daemon: Daemon, tmp_path: Path) -> None:
    results = Results()
    wanted = Exporters([exporter_pb2.ExporterRequest(Type="oci", Attrs={"name": "app"})])
    build = Build(
        files(f="1"),
        offers=[results.offer(), wanted.offer()],
        more={"EnableSessionExporter": True},
    )
    response = solve(daemon, build).response
    assert wanted.responses == [response]
    assert len(wanted.found[0].refs) == 1
    assert layout_of(results.only.data, tmp_path).root["digest"] == response["containerimage.digest"]


@pytest.mark.parametrize("exporters", [[], [("image", {})]])
def test_other_platforms_than_were_asked_for(
    daemon: Daemon, exporters: list[tuple[str, dict[str, str]]]
) -> None:
    asked = Build(attrs={"platform": "linux/s390x"}, exporters=exporters)
    solved = solve(daemon, asked, lambda gateway: result(gateway.ref(files(f="1"))))
    (warning,) = solved.progress.warnings
    assert warning.short.decode() == (
        'Requested platform "linux/s390x" does not match result platform "linux/amd64"'
    )
    name = "exporting to image" if exporters else "Verifying build result"
    assert solved.progress.vertexes[warning.vertex].name == name


MEDIA = {
    "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
    "uncompressed": "application/vnd.oci.image.layer.v1.tar",
}


@pytest.mark.parametrize("compression", MEDIA)
def test_compression(daemon: Daemon, tmp_path: Path, compression: str) -> None:
    layout, _ = oci(daemon, tmp_path, {"compression": compression, "force-compression": ""})
    assert [layer["mediaType"] for layer in layout.target["layers"]] == [MEDIA[compression]]


def test_media_types(daemon: Daemon, tmp_path: Path) -> None:
    """Images have OCI's types unless told otherwise, or a client asks for an earlier version's behaviour."""
    docker = "application/vnd.docker.distribution.manifest.v2+json"
    exporters = [("image", {}), ("image", {"oci-mediatypes": "false"})]
    found = []
    for more in ({}, {"CompatibilityVersion": 20}):
        for exporter in exporters:
            response = solve(daemon, Build(files(f="1"), exporters=[exporter], more=more)).response
            found.append(json.loads(b64decode(response["containerimage.descriptor"]))["mediaType"])
    assert found == ["application/vnd.oci.image.manifest.v1+json", docker, docker, docker]


def test_times(daemon: Daemon, tmp_path: Path) -> None:
    epoch = {"source-date-epoch": "1000000000"}
    first, _ = oci(daemon, tmp_path, {**epoch, "rewrite-timestamp": "true"})
    again, _ = oci(daemon, tmp_path, {**epoch, "rewrite-timestamp": "true"})
    assert first.members == again.members
    config = first.json(first.target["config"]["digest"])
    assert config["created"] == "2001-09-09T01:46:40Z"
    own, _ = oci(
        daemon,
        tmp_path,
        {"rewrite-timestamp": "true"},
        lambda gateway: result(gateway.ref(files(f="1")), {"source.date.epoch": b"1000000000"}),
    )
    assert own.target["layers"] == first.target["layers"]


REFUSED = {
    "unknown": ("ship", {}, 'exporter "ship" could not be found'),
    "flag": ("image", {"push": "maybe"}, "non-bool value specified for push: "),
    "tar": ("oci", {"tar": "2"}, "non-bool value specified for tar: "),
    "split": ("local", {"platform-split": ""}, "non-bool value for platform-split: "),
    "epoch": ("tar", {"source-date-epoch": "soon"}, "invalid source-date-epoch: "),
    "compression": ("oci", {"compression": "lz4"}, "unsupported compression type lz4"),
    "estargz": ("oci", {"compression": "estargz"}, "compression=estargz is not supported"),
    "level": ("oci", {"compression-level": "high"}, "non-integer value high specified for compression-level"),
    "artifact": (
        "oci",
        {"oci-artifact": "true", "oci-mediatypes": "false"},
        'exporter option "oci-artifact=true" conflicts with "oci-mediatypes=false"',
    ),
    "annotation": ("oci", {"annotation-shelf.a": "b"}, "unrecognized annotation type shelf"),
    "name": ("docker", {"name": "A B"}, "failed to parse A B: "),
    "index": (
        "oci",
        {"annotation-index.a": "b"},
        "index annotations not supported for single platform export",
    ),
    "platform": (
        "oci",
        {"annotation[linux/s390x].a": "b"},
        "invalid annotation: no platform linux/s390x found in source",
    ),
    "no place": ("oci", {}, "method /moby.filesync.v1.FileSend/diffcopy not supported by the client"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(daemon: Daemon, case: str) -> None:
    type, attrs, message = REFUSED[case]
    with pytest.raises(SolveFailed) as failed:
        solve(daemon, Build(files(f="1"), exporters=[(type, attrs)]))
    assert message in failed.value.message


def test_several_platforms_for_docker(daemon: Daemon) -> None:
    with pytest.raises(
        SolveFailed, match="docker exporter does not currently support exporting manifest lists"
    ):
        solve(daemon, Build(exporters=[("docker", {})], offers=[Results().offer()]), several())
