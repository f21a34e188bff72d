"""The benchmark's contexts: plain Dockerfiles with seeded content, so that two runs write the same bytes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

WORDS = 4000


class Content:
    """Source-like text and random bytes, from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._words = [b"%x" % self.random.getrandbits(self.random.randint(8, 48)) for _ in range(WORDS)]

    def text(self, size: int) -> bytes:
        """`size` bytes that compress about three to one."""
        parts: list[bytes] = []
        length = 0
        while length < size:
            word = self.random.choice(self._words)
            parts.append(word)
            length += len(word) + 1
        return b" ".join(parts)[:size]

    def tree(self, where: Path, files: int, mean: int) -> None:
        """`files` files of about `mean` bytes in two levels of directories."""
        for number in range(files):
            path = where / f"d{number % 97:02d}" / f"e{number % 13:02d}" / f"f{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.text(max(16, int(self.random.expovariate(1 / mean)))))

    def blob(self, path: Path, mebibytes: int) -> None:
        """A file of pieces of 8 MiB, two thirds of them text."""
        with path.open("wb") as file:
            for _ in range(mebibytes // 8):
                size = 8 << 20
                file.write(self.text(size) if self.random.random() < 0.7 else self.random.randbytes(size))


@dataclass(frozen=True)
class Row:
    """One line of the table. `cold` builds with `--no-cache`, `empty` on an empty store; `change` is applied
    before each timed build; `output` is a type of --output; `target` as a part of the neighbour's time. With
    `language` pybuild builds the workload's build.pybuild, its neighbours the equal Dockerfile."""

    name: str
    workload: str
    target: float
    cold: bool = False
    empty: bool = False
    change: str = ""
    output: str = ""
    runs: int = 3
    language: bool = False


@dataclass(frozen=True)
class Workload:
    """`program` is the same in the `.pybuild` language, where there is a row that builds it."""

    dockerfile: Callable[[str], str]
    fill: Callable[[Content, Path], object] = field(default=lambda content, path: None)
    program: Callable[[str], str] | None = None


def _noop(base: str) -> str:
    steps = "".join(f"RUN echo step {number} >> /log\n" for number in range(7))
    return f"FROM {base}\nWORKDIR /app\nCOPY requirements.txt .\n{steps}COPY src src\nRUN ls src > /ls\n"


def _noop_program(base: str) -> str:
    steps = "".join(f"    run echo step {number} >> /log\n" for number in range(7))
    return _program(
        base,
        '    workdir "/app"\n    copy "requirements.txt" to "/app/"\n',
        steps,
        '    copy "src" to "/app/src"\n    run ls src > /ls\n',
    )


def _program(base: str, *statements: str) -> str:
    return f'# syntax=pybuild:1\n\ntarget image:\n    from "{base}"\n{"".join(statements)}'


def _noop_files(content: Content, path: Path) -> None:
    (path / "requirements.txt").write_text("a==1\n")
    content.tree(path / "src", 2000, 4000)


def _fan(base: str) -> str:
    stages = "".join(f"FROM {base} AS s{n}\nRUN echo {n} > /out{n}\n" for n in range(64))
    return stages + "FROM scratch\n" + "".join(f"COPY --from=s{n} /out{n} /\n" for n in range(64))


def _copies(base: str) -> str:
    stages = "".join(f"FROM scratch AS a{n}\nCOPY --from=a{n - 1} /tree /tree\n" for n in range(1, 6))
    return "FROM scratch AS a0\nCOPY tree /tree\n" + stages


def _unused(base: str) -> str:
    stages = "".join(f"FROM {base} AS s{n}\nRUN sleep 1; echo {n} > /out\n" for n in range(20))
    return stages + "FROM scratch\nCOPY --from=s3 /out /a\nCOPY --from=s7 /out /b\n"


def growth(stages: int) -> Workload:
    """Copied stages, each of its own file: time must grow linearly with their number."""

    def dockerfile(base: str) -> str:
        made = "".join(f"FROM scratch AS s{n}\nCOPY f{n} /f{n}\n" for n in range(stages))
        return made + "FROM scratch\n" + "".join(f"COPY --from=s{n} /f{n} /\n" for n in range(stages))

    def fill(content: Content, path: Path) -> None:
        for number in range(stages):
            (path / f"f{number}").write_text(f"{number}\n")

    return Workload(dockerfile, fill)


WORKLOADS = {
    "noop": Workload(_noop, _noop_files, _noop_program),
    "chain": Workload(
        lambda base: f"FROM {base}\n" + "".join(f"RUN echo {n} > /f{n}\n" for n in range(30)),
        program=lambda base: _program(base, *(f"    run echo {n} > /f{n}\n" for n in range(30))),
    ),
    "fan": Workload(_fan),
    "context": Workload(
        lambda base: "FROM scratch\nCOPY tree /tree\n",
        lambda content, path: content.tree(path / "tree", 50000, 3000),
    ),
    "export": Workload(
        lambda base: "FROM scratch\nCOPY blob /blob\n", lambda content, path: content.blob(path / "blob", 512)
    ),
    "copies": Workload(_copies, lambda content, path: content.tree(path / "tree", 20000, 2000)),
    "unused": Workload(_unused),
    "stages100": growth(100),
    "stages400": growth(400),
    "stages1000": growth(1000),
}

ROWS = (
    Row("noop: nothing changed", "noop", 1 / 2, runs=7),
    Row("noop: one source file changed", "noop", 1 / 3, change="src/d01/e01/f1.txt", runs=5),
    Row("chain: 30 steps, no cache", "chain", 1 / 3, cold=True, runs=5),
    Row("fan: 64 stages joined, no cache", "fan", 1 / 3, cold=True, runs=5),
    Row("context: 50,000 files, first build", "context", 1 / 3, empty=True, runs=2),
    Row("context: nothing changed", "context", 1 / 3, runs=5),
    Row("context: one file changed", "context", 1 / 3, change="tree/d01/e01/f1.txt", runs=2),
    Row("export: 512 MiB as OCI, gzip", "export", 1 / 5, output="gzip", runs=1),
    Row("export: 512 MiB as OCI, zstd", "export", 1 / 3, output="zstd", runs=1),
    Row("context: exported as OCI, gzip", "context", 1 / 4, output="gzip", runs=1),
    Row("copies: 20,000 files, six stages", "copies", 1 / 8, cold=True, runs=2),
    Row("unused: 2 of 20 stages needed", "unused", 1.0, cold=True, runs=1),
    Row("100 copied stages, nothing changed", "stages100", 1 / 2),
    Row("400 copied stages, nothing changed", "stages400", 1 / 2),
    Row("1,000 copied stages, nothing changed", "stages1000", 1.0, runs=1),
    Row("language: nothing changed", "noop", 1 / 2, runs=7, language=True),
    Row(
        "language: one source file changed", "noop", 1 / 3, change="src/d01/e01/f1.txt", runs=5, language=True
    ),
    Row("language: 30 steps, no cache", "chain", 1 / 3, cold=True, runs=5, language=True),
)


def write(root: Path, base: str, names: set[str]) -> None:
    """Write the contexts of the named workloads under `root`; those that are there stay."""
    for number, (name, workload) in enumerate(WORKLOADS.items()):
        path = root / name
        if name not in names or path.exists():
            continue
        path.mkdir(parents=True)
        workload.fill(Content(number), path)
        (path / "Dockerfile").write_text(workload.dockerfile(base))
        if workload.program is not None:
            (path / "build.pybuild").write_text(workload.program(base))
