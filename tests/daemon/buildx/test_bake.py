"""`docker buildx bake`: several targets in one run, and targets that are contexts of others."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.daemon.buildx.conftest import Buildx

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]

FILE = """
group "default" {{ targets = ["one", "two", "joined"] }}
target "common" {{ args = {{ WORD = "baked" }} }}
target "one" {{
  inherits = ["common"]
  output = ["type=local,dest={out}/one"]
}}
target "two" {{
  inherits = ["common"]
  target = "built"
  args = {{ WORD = "another" }}
  output = ["type=tar,dest={out}/two.tar"]
}}
target "joined" {{
  dockerfile-inline = "FROM scratch\\nCOPY --from=other /made /from-another\\n"
  contexts = {{ other = "target:one" }}
  output = ["type=local,dest={out}/joined"]
}}
"""


def test_several_targets(buildx: Buildx, project: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (project / "docker-bake.hcl").write_text(FILE.format(out=out))
    buildx("bake", cwd=project)
    assert (out / "one/made").read_text() == "one\ntwo\nbaked\n"
    assert (out / "joined/from-another").read_text() == "one\ntwo\nbaked\n"
    assert (out / "two.tar").stat().st_size > 1000
