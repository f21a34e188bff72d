"""Docker's own client, `docker buildx`, with a builder of the driver `remote`: no Docker daemon takes part."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from attrs import frozen
from tests.daemon.client.running import Running

BUILDER = "pybuild-tests"
SECONDS = 120


@frozen
class Buildx:
    """`docker buildx` with a configuration of its own, where the tests' daemon is the builder."""

    configuration: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "BUILD"))
        }
        return {
            **kept,
            "DOCKER_CONFIG": str(self.configuration),
            "BUILDX_BUILDER": BUILDER,
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        }

    def run(
        self,
        *words: str,
        cwd: Path | None = None,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["docker", "buildx", *words],
            cwd=cwd,
            env={**self.environment, **(environment or {})},
            input=stdin,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )

    def __call__(self, *words: str, cwd: Path | None = None, stdin: bytes = b"", **environment: str) -> str:
        """What it prints; it must end well."""
        done = self.run(*words, cwd=cwd, stdin=stdin, environment=environment)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return (done.stdout + done.stderr).decode()

    def failing(self, *words: str, cwd: Path | None = None, **environment: str) -> str:
        """What it prints when it fails."""
        done = self.run(*words, cwd=cwd, environment=environment)
        assert done.returncode != 0
        return (done.stdout + done.stderr).decode()


@pytest.fixture(scope="session")
def buildx(shared_daemon: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildx]:
    if shutil.which("docker") is None:
        pytest.skip("needs docker")
    made = Buildx(tmp_path_factory.mktemp("buildx"))
    if made.run("version").returncode != 0:
        pytest.skip("needs docker-buildx")
    made("create", "--name", BUILDER, "--driver", "remote", shared_daemon.address)
    yield made
    made("rm", BUILDER)


@pytest.fixture
def project(tmp_path: Path, base_reference: str) -> Path:
    """A directory with a Dockerfile of two stages."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "Dockerfile").write_text(
        f"""FROM {base_reference} AS built
ARG WORD=default
COPY src /src
RUN cat /src/* >/made && echo $WORD >>/made

FROM scratch AS final
COPY --from=built /made /made
ENV A=1
LABEL of=tests
"""
    )
    (root / "src").mkdir()
    (root / "src/one").write_text("one\n")
    (root / ".dockerignore").write_text("ignored\n")
    (root / "src/two").write_text("two\n")
    return root
