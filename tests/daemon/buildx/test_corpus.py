"""Dockerfiles of the differential corpus: buildx with the daemon makes the images that `pybuild build` makes, to the
byte, and refuses what that refuses."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

import pytest
from attrs import evolve
from tests.daemon.buildx.conftest import Buildx
from tests.daemon.export.exported import members
from tests.differential.bases import Bases
from tests.differential.builders import Builders, Prepared
from tests.differential.casebook import Case, read_cases
from tests.differential.website import Website
from tests.support.warm import program

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]

WHEN = "1700000000"
LACKING = ("--call", "--check", "--allow", "--network", "--progress", "--pull")
"""Flags that Debian's buildx hasn't, or that mean what a daemon of its own must allow."""
EVERY = os.environ.get("PYBUILD_DIFFERENTIAL") == "all"


def sampled() -> list[Case]:
    """A case of each file, all with PYBUILD_DIFFERENTIAL=all."""
    found = []
    for _, group in groupby(read_cases(), key=lambda case: case.file):
        cases = [case for case in group if not any(flag.startswith(LACKING) for flag in case.flags)]
        found += cases if EVERY else cases[:1]
    return found


@pytest.fixture(scope="module")
def builders(tmp_path_factory: pytest.TempPathFactory, bases: Bases) -> Iterator[Builders]:
    directory = tmp_path_factory.mktemp("corpus")
    with Website(directory / "site") as site:
        yield Builders(bases=bases, site=site, store=directory / "store", docker_host="")


Made = tuple[list[str], str]
"""What an image holds, nothing if it was refused, and then what the builder said."""


def outcome(done: subprocess.CompletedProcess[bytes], archive: Path) -> Made:
    if done.returncode != 0:
        return [], done.stderr.decode(errors="replace")
    return held(members(archive.read_bytes())), ""


def held(files: Mapping[str, bytes]) -> list[str]:
    """Lines that are the same where an OCI archive's bytes are: so it shows what is not."""
    lines = []
    pending = list(json.loads(files["index.json"])["manifests"])
    for descriptor in pending:
        data = files["blobs/" + descriptor["digest"].replace(":", "/")]
        lines.append(descriptor["digest"])
        if descriptor["mediaType"].endswith("json"):
            lines.append(data.decode())
            parsed = json.loads(data)
            own = [parsed["config"]] if "config" in parsed and "layers" in parsed else []
            pending += [*parsed.get("manifests", ()), *own, *parsed.get("layers", ())]
        else:
            with tarfile.open(fileobj=io.BytesIO(data)) as layer:
                lines += [
                    f"{one.name} {one.type!r} {one.mode:o} {one.uid}:{one.gid} {one.mtime} {one.size} "
                    f"{one.linkname} {one.pax_headers}"
                    for one in layer
                ]
    return lines


def made_by_pybuild(made: Prepared, archive: Path, store: Path) -> Made:
    done = program.run(
        ["build", *made.flags, "-o", f"type=oci,dest={archive},rewrite-timestamp=true", made.mains[0]],
        cwd=made.context,
        env={**made.environment, "PYBUILD_ROOT": str(store), "SOURCE_DATE_EPOCH": WHEN},
        stdin=made.stdin,
        timeout=60,
    )
    return outcome(done, archive)


def made_by_buildx(made: Prepared, archive: Path, buildx: Buildx, given: dict[str, str]) -> Made:
    done = buildx.run(
        *["build", *made.flags, "-o", f"type=oci,dest={archive},rewrite-timestamp=true", made.mains[-1]],
        cwd=made.context,
        stdin=made.stdin,
        environment={**given, "SOURCE_DATE_EPOCH": WHEN},
    )
    return outcome(done, archive)


@pytest.mark.parametrize("case", sampled(), ids=lambda case: case.name)
def test_equal_images(case: Case, builders: Builders, buildx: Buildx, tmp_path: Path) -> None:
    case = evolve(case, older=None)
    made = builders.prepared(case, tmp_path)
    given = dict(line.split("=", 1) for line in case.environment)
    ours, said_by_us = made_by_pybuild(made, tmp_path / "ours.tar", builders.store)
    theirs, said_by_them = made_by_buildx(made, tmp_path / "theirs.tar", buildx, given)
    assert theirs == ours, said_by_us + said_by_them
    assert (not ours) == (case.rejected is not None), said_by_us
