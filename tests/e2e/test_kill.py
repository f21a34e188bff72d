"""kill -9 at any moment of a build: the store stays sound, the next build gives the same image, an earlier output
is the old one or the complete new one, and nothing of the killed build is left running.

Most of the moments are placed in named phases, recognised from outside by what the build prints and by the files
in its store; the others are drawn over the length of a build. The seed is printed with a failure and can be given
in PYBUILD_TEST_SEED.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen
from tests.e2e.building import FIXED_TIME, Builder
from tests.e2e.remains import until, wait_for_none, work_names
from tests.e2e.soundness import faults, leftovers

from pybuild.runtime.verify.archives import verify_layout

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]

MOMENTS = 18
TIMES = 2
"""Moments placed in each phase."""
OLD = b"an output that was here before"
DOCKERFILE = """\
FROM {base}
COPY files /files/
RUN echo step running; cat /bin/busybox /files/* >/data; i=0; \
    while [ $i -lt 80 ]; do echo $i >/root/f$i; i=$((i+1)); done; sleep 0.1
RUN rm -r /root/*; echo b >/b
"""


@frozen
class Running:
    """A build being watched."""

    process: subprocess.Popen[bytes]
    log: Path
    store: Path
    dest: Path

    def printed(self, text: bytes) -> bool:
        return text in self.log.read_bytes()

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None


def _pull(build: Running) -> bool:
    """A layer is on its way: the base's own, because the store is empty."""
    return any(name.endswith(".part") for name in _list(build.store / "ingest"))


def _unpack(build: Running) -> bool:
    """Files of the base are in a work directory, and no snapshot has been committed."""
    return any((build.store / "work").glob("*/*/fs/bin")) or any((build.store / "work").glob("*/*/bin"))


def _run(build: Running) -> bool:
    return build.printed(b"step running")


def _commit(build: Running) -> bool:
    """Snapshots appear: the base, what COPY made, and what the first step left."""
    return sum(name.isdecimal() for name in _list(build.store / "snapshots")) >= 3


def _compress(build: Running) -> bool:
    return build.printed(b"exporting layers") or build.printed(b"exporting to oci")


def _export(build: Running) -> bool:
    return build.printed(b"exporting config")


def _rename(build: Running) -> bool:
    """The old output has just been replaced, or is about to be."""
    return build.printed(b"sending tarball") or build.dest.stat().st_size != len(OLD)


PHASES: dict[str, Callable[[Running], bool]] = {
    "pull": _pull,
    "unpack": _unpack,
    "run": _run,
    "commit": _commit,
    "compress": _compress,
    "export": _export,
    "rename": _rename,
}

SHORT = {"export": 0.005, "rename": 0.002}
"""Seconds that phases last which are over at once."""


def _list(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


@frozen
class Moments:
    """Builds to be killed, and what an undisturbed one gives."""

    builder: Builder
    context: Path
    image: bytes
    seconds: float

    def flags(self, dest: Path) -> list[str | Path]:
        return [self.context, "-o", f"type=oci,dest={dest},rewrite-timestamp=true"]

    def kill(self, moment: str, draw: random.Random) -> bool:
        """One killed build and the one after it; whether it was alive still. `moment` is a phase, or "any"."""
        builder, dest = self.builder, self.builder.place / "out.tar"
        if moment in ("pull", "unpack", "compress") or draw.random() < 0.3:
            shutil.rmtree(builder.store, ignore_errors=True)
        dest.write_bytes(OLD)
        works = work_names(builder.store)
        log = builder.place / "log"
        again = [] if moment in ("pull", "unpack") else ["--no-cache"]
        process = builder.start("--progress=rawjson", *again, *self.flags(dest), log=log)
        build = Running(process, log, builder.store, dest)
        try:
            if moment == "any":
                time.sleep(draw.uniform(0, 0.8 * self.seconds))
            else:
                reached = until(lambda: PHASES[moment](build) or build.ended, 60, 0.0005)
                assert reached, f"{moment} was not seen"
                time.sleep(draw.choice([0, draw.uniform(0, SHORT.get(moment, 0.03))]))
            works |= work_names(builder.store)
        finally:
            process.kill()
            process.wait()
        self.check(works, dest)
        return process.returncode == -signal.SIGKILL

    def check(self, works: set[str], dest: Path) -> None:
        builder = self.builder
        assert wait_for_none(builder.store, works) == []
        assert dest.read_bytes() in (OLD, self.image)
        assert faults(builder.store) == []
        self.check_unfinished(dest)
        after = builder.place / "after.tar"
        after.unlink(missing_ok=True)
        builder.build(*self.flags(after))
        assert after.read_bytes() == self.image
        assert faults(builder.store) == []
        assert leftovers(builder.store) == []

    def check_unfinished(self, dest: Path) -> None:
        """An output gets a name when it is complete, and the right one right after that."""
        for path in dest.parent.glob(f".{dest.name}.*.tmp"):
            assert path.read_bytes() == self.image
            path.unlink()


@pytest.fixture(scope="module")
def moments(base: Path, docker_registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moments]:
    place = tmp_path_factory.mktemp("kill")
    reference = f"{docker_registry}/killed/base:1"
    push = ["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{base}:latest", f"docker://{reference}"]
    subprocess.run(push, check=True, timeout=60)
    builder = Builder(place, base, environment=FIXED_TIME)
    content = random.Random(1)
    files = {f"files/{number}": content.randbytes(30_000) for number in range(40)}
    context = builder.context("context", DOCKERFILE.format(base=reference), **files)
    image = place / "image.tar"
    started = time.monotonic()
    undisturbed = Moments(builder, context, b"", 0)
    builder.build(*undisturbed.flags(image))
    seconds = time.monotonic() - started
    assert verify_layout(str(image)) == []
    yield Moments(builder, context, image.read_bytes(), seconds)
    shutil.rmtree(place, ignore_errors=True)


def test_kill_at_any_moment(moments: Moments) -> None:
    seed = int(os.environ.get("PYBUILD_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    draw = random.Random(seed)
    placed = [phase for phase in PHASES for _ in range(TIMES)]
    order = [*placed, *["any"] * (MOMENTS - len(placed))]
    draw.shuffle(order)
    struck = Counter[str]()
    for number, moment in enumerate(order):
        try:
            struck[moment] += moments.kill(moment, draw)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, moment {number} ({moment}): {error}") from error
    print(f"seed {seed}, builds that were struck alive: {dict(struck)}")
    assert all(struck[phase] for phase in PHASES), struck
    assert struck.total() > MOMENTS // 2, struck
