"""The verifier's rules about attestation manifests and artifacts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.runtime.image.test_verify_images import CONFIG, MANIFEST, Layout

from pybuild.runtime.verify.archives import verify

STATEMENT = "application/vnd.in-toto+json"
UNKNOWN = {"architecture": "unknown", "os": "unknown"}


class Attested:
    """A layout with an attestation of its image. The parts may be changed before it is written."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root).write()
        self.statement: Any = {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "p",
            "subject": [],
        }
        self.layer: dict[str, Any] = {
            "mediaType": STATEMENT,
            "annotations": {"in-toto.io/predicate-type": "p"},
        }
        self.ids: list[str] | None = None
        self.entry: dict[str, Any] = {
            "mediaType": MANIFEST,
            "platform": UNKNOWN,
            "annotations": {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": self.layout.entry["digest"],
            },
        }

    def write(self) -> str:
        layout = self.layout
        layer = {**layout.put(json.dumps(self.statement).encode()), **self.layer}
        rootfs = {"type": "layers", "diff_ids": self.ids if self.ids is not None else [layer["digest"]]}
        config = layout.put(json.dumps({**UNKNOWN, "rootfs": rootfs}).encode())
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, **config},
            "layers": [layer],
        }
        entry = {**self.entry, **layout.put(json.dumps(manifest).encode())}
        index = {**layout.index, "manifests": [layout.entry, entry]}
        (layout.root / "index.json").write_text(json.dumps(index))
        return str(layout.root)


def test_a_sound_attestation(tmp_path: Path) -> None:
    report = verify(Attested(tmp_path / "l").write())
    assert report.findings == []
    assert len(report.images) == 1


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("is listed for a platform", lambda it: it.entry.update(platform={"architecture": "a", "os": "b"})),
        ("is not listed as an attestation manifest", lambda it: it.entry.update(annotations={})),
        ("which its index does not list", lambda it: it.entry.update(annotations={})),
        ("under another type than its `q`", lambda it: it.statement.update(predicateType="q")),
        ("under another type than its none", lambda it: it.statement.pop("predicateType")),
        ("about a subject that is no list", lambda it: it.statement.update(subject="x")),
        ("has a statement that is none", lambda it: setattr(it, "statement", [])),
        ("other diff IDs than the digests", lambda it: setattr(it, "ids", [])),
        ("its descriptor says 7", lambda it: it.layer.update(size=7)),
        ("is missing", lambda it: it.layer.update(digest="sha256:" + "0" * 64)),
    ],
)
def test_damage(tmp_path: Path, what: str, change: Callable[[Attested], object]) -> None:
    attested = Attested(tmp_path / "l")
    change(attested)
    problems = verify(attested.write()).problems
    assert any(what in repr(problem) for problem in problems), problems


def test_artifacts(tmp_path: Path) -> None:
    """A manifest of something else than a file system: its blobs are compared with their descriptors."""
    layout = Layout(tmp_path / "l").write()
    blob = {"mediaType": "text/plain", **layout.put(b"words")}
    config = {"mediaType": "application/vnd.oci.empty.v1+json", **layout.put(b"{}"), "data": "e30="}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "text/plain",
        "config": config,
        "layers": [blob],
    }
    entry = {"mediaType": MANIFEST, **layout.put(json.dumps(manifest).encode())}
    (layout.root / "index.json").write_text(json.dumps({**layout.index, "manifests": [layout.entry, entry]}))
    report = verify(str(layout.root))
    assert report.findings == []
    assert [image.artifact for image in report.images] == ["", "text/plain"]
    layout.path(blob["digest"]).write_bytes(b"worms")
    report = verify(str(layout.root))
    assert "has the digest" in repr(report.problems)
    assert [image.sound for image in report.images] == [True, False]
