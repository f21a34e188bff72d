"""What is attested of a result: provenance, bills of materials, and what a frontend says itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.daemon.client.bridge import Gateway, Result, result
from tests.daemon.client.control import Daemon
from tests.daemon.client.failure import Failure
from tests.daemon.client.files import Directories, Results
from tests.daemon.client.offers import Secrets
from tests.daemon.client.solving import Build, SolveFailed, solve
from tests.daemon.export.exported import Layout, files, members, oci, several
from tests.support.daemons import HOST_NETWORK

from pybuild.compiler.file_actions import copy
from pybuild.compiler.mounts import secret
from pybuild.compiler.protos import gateway_pb2
from pybuild.compiler.state import State

pytestmark = pytest.mark.root

V1, V02 = "https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2"
SPDX = "https://spdx.dev/Document"


def statements(layout: Layout) -> dict[str, list[dict[str, Any]]]:
    """The statements of an image by the platform of the manifest that they are attached to."""
    listed = layout.target["manifests"]
    platforms = {one["digest"]: one["platform"]["architecture"] for one in listed}
    found = {}
    for one in listed:
        if "annotations" in one and "vnd.docker.reference.digest" in one["annotations"]:
            manifest = layout.json(one["digest"])
            about = platforms[one["annotations"]["vnd.docker.reference.digest"]]
            found[about] = [layout.json(layer["digest"]) for layer in manifest["layers"]]
    return found


def test_provenance_of_an_image(daemon: Daemon, tmp_path: Path) -> None:
    layout, response = oci(
        daemon, tmp_path, {"name": "app"}, several(), attrs={"attest:provenance": "mode=min"}
    )
    found = statements(layout)
    assert found.keys() == {"amd64", "arm64"}
    (said,) = found["arm64"]
    manifests = [one["digest"] for one in layout.target["manifests"]]
    assert said["predicateType"] == V1
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["subject"] == [
        {
            "name": "pkg:docker/app@latest?platform=linux%2Farm64",
            "digest": {"sha256": manifests[1].removeprefix("sha256:")},
        }
    ]
    attested = layout.json(manifests[2])
    assert attested["artifactType"] == "application/vnd.docker.attestation.manifest.v1+json"
    assert attested["subject"]["digest"] == manifests[0]
    assert response["containerimage.digest"] == layout.root["digest"]


def test_one_platform(daemon: Daemon, tmp_path: Path) -> None:
    """What is for images alone makes no index of an archive."""
    both = {"attest:provenance": "mode=max,version=v0.2"}
    layout, _ = oci(daemon, tmp_path, attrs={"attest:provenance": "inline-only=true"})
    assert "manifests" not in layout.target
    layout, _ = oci(daemon, tmp_path, {"oci-artifact": "false"}, attrs=both)
    ((said,),) = statements(layout).values()
    assert said["predicateType"] == V02
    assert layout.json(layout.target["manifests"][1]["digest"])["config"]["mediaType"].endswith(
        "config.v1+json"
    )
    with pytest.raises(SolveFailed, match='cannot export attestations with "oci-mediatypes=false"'):
        oci(daemon, tmp_path, {"oci-mediatypes": "false"}, attrs=both)


def test_what_provenance_tells(daemon: Daemon, tmp_path: Path, base: State, base_reference: str) -> None:
    """Sources with what they came to, secrets, and the steps."""
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "f").write_text("1")
    run = base.run(shell="true", mounts=[secret("/s", id="key", optional=True)])
    graph = run.file(copy(State.local("context"), "/f", "/g"))
    layout, _ = oci(
        daemon,
        tmp_path,
        graph=graph,
        attrs={"attest:provenance": "builder-id=https://ci/1,reproducible=true"},
        offers=[Directories({"context": tmp_path / "context"}).offer(), Secrets({"key": b"x"}).offer()],
        entitlements=[HOST_NETWORK],
    )
    ((said,),) = statements(layout).values()
    definition, details = said["predicate"]["buildDefinition"], said["predicate"]["runDetails"]
    (image,) = definition["resolvedDependencies"]
    name, tag = base_reference.rsplit(":", 1)
    assert image["uri"].startswith(f"pkg:docker/{name.replace(':', '%3A')}@{tag.partition('@')[0]}?")
    assert len(image["digest"]["sha256"]) == 64
    assert definition["externalParameters"]["request"] == {
        "secrets": [{"id": "key", "optional": True}],
        "locals": [{"name": "context"}],
    }
    steps = definition["internalParameters"]["buildConfig"]["llbDefinition"]
    assert [next(iter(step["op"]["Op"]), "") for step in steps] == ["source", "exec", "source", "file", ""]
    assert details["builder"] == {"id": "https://ci/1"}
    assert details["metadata"]["buildkit_reproducible"]
    assert details["metadata"]["buildkit_completeness"] == {"request": False, "resolvedDependencies": False}
    assert details["metadata"]["startedOn"] <= details["metadata"]["finishedOn"]


def test_files_beside_a_result(daemon: Daemon) -> None:
    results = Results("0")
    attrs = {"attest:provenance": "mode=min"}
    exporters = [("local", {"attestation-prefix": "app."}), ("tar", {})]
    solve(daemon, Build(files(f="1"), attrs=attrs, exporters=exporters, offers=[results.offer()]))
    (local,), (archive,) = results.of("0"), results.of("1")
    assert list(local.files.data) == ["app.provenance.json", "f"]
    assert members(archive.data).keys() == {"provenance.json", "f"}
    (subject,) = json.loads(local.files.data["app.provenance.json"])["subject"]
    assert subject["name"] == "f"


def test_the_record_of_a_build_has_its_provenance(daemon: Daemon) -> None:
    solved = solve(daemon, Build(files(f="1")))
    (event,) = daemon.history(solved.ref)
    (said,) = event.record.Result.Attestations
    assert said.annotations["in-toto.io/predicate-type"] == V1
    assert json.loads(daemon.blob(said.digest))["buildDefinition"]["internalParameters"]["buildConfig"]


def test_a_source_that_a_frontend_went_on_without(daemon: Daemon, tmp_path: Path) -> None:
    def frontend(gateway: Gateway) -> Result:
        with pytest.raises(Failure):
            gateway.read_dir(gateway.ref(State.http("http://127.0.0.1:1/none")))
        return result(gateway.ref(files(f="1")))

    layout, _ = oci(daemon, tmp_path, {}, frontend, attrs={"attest:provenance": ""})
    ((said,),) = statements(layout).values()
    assert "resolvedDependencies" not in said["predicate"]["buildDefinition"]


def attested(**fields: Any) -> Any:
    """A frontend whose result has an attestation, in the file `said` of a state of its own."""

    def frontend(gateway: Gateway) -> Result:
        found = result(gateway.ref(files(f="1")))
        ref = gateway_pb2.Ref(id=gateway.ref(files(said='{"a": "<b>"}')))
        found.attestations["linux/amd64"].attestation.add(ref=ref, **{"path": "/said", **fields})
        found.metadata["refs.platforms"] = json.dumps(
            {"Platforms": [{"ID": "linux/amd64", "Platform": {"os": "linux", "architecture": "amd64"}}]}
        ).encode()
        return found

    return frontend


def test_attestations_of_a_frontend(daemon: Daemon, tmp_path: Path) -> None:
    subject = gateway_pb2.InTotoSubject(kind=gateway_pb2.Raw, name="x", digest=["sha256:" + "1" * 64])
    frontend = attested(inTotoPredicateType="https://example.com/said", inTotoSubjects=[subject])
    layout, _ = oci(daemon, tmp_path, {"name": "app"}, frontend)
    ((said,),) = statements(layout).values()
    assert said["predicate"] == {"a": "<b>"}
    assert said["subject"] == [{"name": "x", "digest": {"sha256": "1" * 64}}]
    refused = attested(inTotoPredicateType=V1)
    with pytest.raises(SolveFailed, match="frontend may not set provenance attestations"):
        oci(daemon, tmp_path, {}, refused)


STATEMENT = """
cat /run/src/core/sbom/f > /tmp/seen
cat > "$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json" <<END
{"predicateType": "https://spdx.dev/Document", "predicate": {"name": "$(cat /tmp/seen) $BUILDKIT_SCAN_MODE",
"files": [{"fileName": "/f"}, {"fileName": "/f", "comment": "own"}, {"fileName": "/none"}]}}
END
"""


@pytest.mark.crun
@pytest.mark.registry
def test_a_bill_of_materials(daemon: Daemon, tmp_path: Path, base: State, registry: str) -> None:
    """A scanner is an image that is run on the result."""
    name = f"{registry}/pybuild-export-scanner:1"
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/bin/sh", "-c", STATEMENT], "Env": ["PATH=/bin"]},
    }

    def scanner(gateway: Gateway) -> Result:
        return result(gateway.ref(base), {"containerimage.config": json.dumps(config).encode()})

    push = {"name": name, "push": "true", "registry.insecure": "true"}
    solve(daemon, Build(exporters=[("image", push)]), scanner)
    asked = {"attest:sbom": f"generator={name},MODE=deep"}
    layout, _ = oci(daemon, tmp_path, {"name": "app"}, graph=files(f="here"), attrs=asked)
    ((said,),) = statements(layout).values()
    assert said["predicateType"] == SPDX
    assert said["predicate"]["name"] == "here deep"
    layer = layout.json(layout.target["manifests"][0]["digest"])["layers"][0]["digest"]
    comments = [file.get("comment") for file in said["predicate"]["files"]]
    assert comments == [f"layerID: {layer}", "own", None]
    assert said["subject"][0]["name"].startswith("pkg:docker/app@latest")


REFUSED = {
    "attest:sbom": ("generator=", "sbom generator cannot be empty"),
    "attest:provenance": ("version=2", "invalid provenance SLSA version: 2"),
    "build-arg:BUILDKIT_ATTEST_PROVENANCE": ("mode=some", 'invalid mode "some"'),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(daemon: Daemon, name: str) -> None:
    value, message = REFUSED[name]
    with pytest.raises(SolveFailed) as failed:
        solve(daemon, Build(files(f="1"), attrs={name: value}))
    assert message in failed.value.message
