"""Images of many layers: beyond what one overlay mount takes, and with a time that grows as the number does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.e2e.building import Builder, manifest_of, steps_run
from tests.e2e.soundness import faults

from pybuild.runtime.verify.archives import verify_layout

pytestmark = [pytest.mark.root, pytest.mark.crun]


def chain(layers: int) -> str:
    """A Dockerfile whose last step reads the first layer and the last, and hides a file of the second."""
    lines = ["FROM base"]
    lines += [
        f"COPY file /made/{number}" if number % 4 != 3 else f"WORKDIR /work/{number}"
        for number in range(layers - 1)
    ]
    first, last = 0, next(number for number in range(layers - 2, 0, -1) if number % 4 != 3)
    lines.append(f"RUN cat /made/{first} /made/{last} >/read && rm /made/1 && ls /made | wc -l >>/read")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("layers", [520])
def test_a_long_chain(builder: Builder, layers: int) -> None:
    context = builder.context("context", chain(layers), file="content\n")
    layout, tree = builder.place / "layout", builder.place / "tree"
    outputs = ("-o", f"type=oci,tar=false,dest={layout}", "-o", f"type=local,dest={tree}")
    builder.build(context, *outputs)
    files = sum(number % 4 != 3 for number in range(layers - 1))
    assert (tree / "read").read_text() == f"content\ncontent\n{files - 1}\n"
    assert len(list((tree / "made").iterdir())) == files - 1
    assert verify_layout(str(layout)) == []
    found = manifest_of(layout)["layers"]
    assert isinstance(found, list)
    assert len(found) == layers + 1
    assert faults(builder.store) == []
    (context / "Dockerfile").write_text(chain(layers) + "RUN cat /read /made/0 >/again\n")
    assert steps_run(builder.build(context, "-o", f"type=local,dest={builder.place}/second")) == [
        "RUN cat /read /made/0 >/again"
    ]


def stages(count: int) -> str:
    lines = []
    for number in range(count):
        lines += [f"FROM scratch AS s{number}", f"COPY file /f{number}"]
    return "\n".join([*lines, "FROM scratch", *(f"COPY --from=s{n} /f{n} /" for n in range(count))]) + "\n"


@pytest.mark.growth
def test_time_grows_as_the_number_of_stages(builder: Builder) -> None:
    """First builds and cached ones of 100, 400 and 1,000 stages that are copied together."""
    measured: dict[int, tuple[float, float]] = {}
    for count in (100, 400, 1000):
        context = builder.context(f"context{count}", stages(count), file="content\n")
        took = [_seconds(builder, context, f"{count}-{number}") for number in range(2)]
        measured[count] = (took[0], took[1])
    print("stages: seconds of the first build, of a cached one:", measured)
    for small, large in ((100, 400), (400, 1000)):
        for first, second in zip(measured[small], measured[large], strict=True):
            assert second < 2.5 * large / small * max(first, 0.2), measured


def _seconds(builder: Builder, context: Path, name: str) -> float:
    started = time.monotonic()
    builder.build(context, "-t", f"image:{name}", timeout=240)
    return time.monotonic() - started
