"""Times pybuild beside the neighbours installed here and prints one table.

    python tests/bench [--only TEXT] [--dir DIRECTORY] [--json FILE]

Whole processes, each row's builders in turn (A B A B …), medians. After the timed builds of a row the results are
exported and compared (file tree and config); a row whose results differ, or could not be made, has no time.
Exports are timed on a store that has the result but no layer of it.
Neighbours: Docker's BuildKit by `docker buildx` (DOCKER_HOST), and `buildctl` (BUILDKIT_HOST) where installed. The
base image is PYBUILD_BENCH_BASE, by default busybox in the registry of PYBUILD_TEST_REGISTRY.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.workloads import ROWS, Row, write
from tests.differential.comparing import comparable, image_differences
from tests.differential.imagetree import read_image

LIMIT = 600
"""Seconds for one build."""


class Failed(Exception):
    pass


@dataclass
class Builder:
    """A way to build: its name, the command line for a row, and how to empty its store. `solve_only` is the
    output that makes no image: Docker's own driver makes one unasked."""

    name: str
    environment: dict[str, str] = field(default_factory=dict)
    solve_only: str | None = "type=cacheonly"

    def command(self, row: Row, context: Path, output: str | None) -> list[str]:
        raise NotImplementedError

    def empty(self) -> None:
        raise NotImplementedError

    def run(self, command: Sequence[str]) -> float:
        """Seconds of the whole process. Raises Failed."""
        begun = time.perf_counter()
        done = subprocess.run(
            command,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=LIMIT,
        )
        if done.returncode:
            raise Failed(done.stderr.decode("utf-8", "replace")[-400:])
        return time.perf_counter() - begun

    def build(self, row: Row, context: Path, output: str | None = None) -> float:
        return self.run(self.command(row, context, output))


class Pybuild(Builder):
    def __init__(self, store: Path) -> None:
        program = shutil.which("pybuild", path=os.path.dirname(sys.executable)) or shutil.which("pybuild")
        self._program = [program] if program else [sys.executable, "-m", "pybuild"]
        self._store = store
        super().__init__("pybuild", {"PYBUILD_ROOT": str(store)})

    def command(self, row: Row, context: Path, output: str | None) -> list[str]:
        flags = ["--no-cache"] if row.cold else []
        if output:
            flags += ["-o", output]
        file = "build.pybuild" if row.language else "Dockerfile"
        return [*self._program, "build", "--progress=plain", *flags, "-f", str(context / file), str(context)]

    def empty(self) -> None:
        shutil.rmtree(self._store, ignore_errors=True)


class Buildx(Builder):
    def __init__(self) -> None:
        super().__init__("docker buildx", {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"})

    def command(self, row: Row, context: Path, output: str | None) -> list[str]:
        flags = ["--no-cache"] if row.cold else []
        if output:
            flags += ["-o", output]
        return ["docker", "buildx", "build", "--network=host", "--progress=plain", *flags, str(context)]

    def empty(self) -> None:
        self.run(["docker", "builder", "prune", "--all", "--force"])


class Buildctl(Builder):
    def __init__(self) -> None:
        super().__init__("buildctl", solve_only=None)

    def command(self, row: Row, context: Path, output: str | None) -> list[str]:
        local = [f"--local=context={context}", f"--local=dockerfile={context}"]
        flags = ["--no-cache"] if row.cold else []
        if output:
            flags.append(f"--output={output}")
        return ["buildctl", "build", "--progress=plain", "--frontend=dockerfile.v0", *local, *flags]

    def empty(self) -> None:
        self.run(["buildctl", "prune", "--all"])


def neighbours() -> Iterator[Builder]:
    for builder, probe in (
        (Buildx(), ["docker", "buildx", "inspect"]),
        (Buildctl(), ["buildctl", "debug", "workers"]),
    ):
        try:
            builder.run(probe)
        except (OSError, Failed):
            print(f"{builder.name}: not available here", file=sys.stderr)
        else:
            yield builder


def time_row(row: Row, builders: Sequence[Builder], context: Path, work: Path) -> dict[str, float | str]:
    """Median seconds by builder; a text where there is no time."""
    times: dict[str, list[float]] = {builder.name: [] for builder in builders}
    failures: dict[str, str] = {}
    for number in range(-1 if not row.empty and not row.output else 0, row.runs):
        for builder in builders:
            if builder.name in failures:
                continue
            if row.change and number >= 0:
                path = context / row.change
                path.write_text(f"{path.read_text()[:2000]}{os.urandom(8).hex()}\n")
            try:
                if row.empty or row.output:
                    builder.empty()
                target = work / f"{builder.name}.tar"
                target.unlink(missing_ok=True)
                output = None
                if row.output:
                    builder.build(row, context, builder.solve_only)
                    output = f"type=oci,dest={target},compression={row.output}"
                seconds = builder.build(row, context, output)
            except (Failed, subprocess.TimeoutExpired) as error:
                failures[builder.name] = f"failed: {str(error).strip().splitlines()[-1][:60]}"
            else:
                if number >= 0:
                    times[builder.name].append(seconds)
    failures.update(different(row, [one for one in builders if one.name not in failures], context, work))
    return {
        builder.name: failures.get(builder.name) or statistics.median(times[builder.name])
        for builder in builders
    }


def different(row: Row, builders: Sequence[Builder], context: Path, work: Path) -> dict[str, str]:
    """Builders whose result is not the first one's."""
    images = {}
    warm = Row(row.name, row.workload, row.target, language=row.language)
    for builder in builders:
        path = work / f"{builder.name}-check.tar"
        builder.build(warm, context, f"type=oci,dest={path},compression=gzip,force-compression=true")
        images[builder.name] = read_image(path)
        path.unlink()
    ours = images.get("pybuild")
    found: dict[str, str] = {}
    for name, image in images.items():
        if ours is not None and name != "pybuild":
            lines = image_differences(comparable(image), comparable(ours))
            if row.language:
                # The statements are not the same text, which history tells.
                lines = [line for line in lines if not line.startswith("config.history")]
            if lines:
                found["pybuild"] = f"differs from {name}: {lines[0][:60]}"
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--only", default="", help="rows whose name contains this")
    options.add_argument(
        "--dir", type=Path, help="where the contexts are kept (default: a temporary directory)"
    )
    options.add_argument("--json", type=Path, help="write the figures there, too")
    given = options.parse_args()
    rows = [row for row in ROWS if given.only in row.name]
    registry = os.environ.get("PYBUILD_TEST_REGISTRY", "127.0.0.1:5000")
    base = os.environ.get("PYBUILD_BENCH_BASE", f"{registry}/busybox:latest")
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        contexts = given.dir or work / "contexts"
        write(contexts, base, {row.workload for row in rows})
        builders = [Pybuild(work / "store"), *neighbours()]
        figures = {}
        names = [builder.name for builder in builders]
        print("| workload | " + " | ".join(names) + " | ratio | aim |\n" + "|---" * (len(names) + 3) + "|")
        for row in rows:
            found = figures[row.name] = time_row(row, builders, contexts / row.workload, work)
            print(line(row, found, names), flush=True)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


def line(row: Row, found: dict[str, float | str], names: Sequence[str]) -> str:
    cells = [f"{one:.3f} s" if isinstance(one, float) else one for one in (found[name] for name in names)]
    ours = found["pybuild"]
    others = [one for name in names[1:] if isinstance(one := found[name], float)]
    ratio = f"{ours / min(others):.2f}" if others and isinstance(ours, float) else "–"
    return f"| {row.name} | " + " | ".join(cells) + f" | {ratio} | ≤ {row.target:.2f} |"


if __name__ == "__main__":
    main()
