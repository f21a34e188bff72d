"""Builds of root where control groups are mounted read-only, so that nothing filters the devices of steps."""

from __future__ import annotations

import pytest
from tests.e2e.building import Builder
from tests.e2e.test_mounts import lines
from tests.e2e.test_mounts_devices import SPEC, machine
from tests.support.controlgroups import THROUGH_READ_ONLY, block_device

pytestmark = [pytest.mark.root, pytest.mark.crun]

NODES = """
FROM base AS nodes
RUN mknod /node b {} {} && chmod 666 /node
"""
USES = """
FROM nodes
COPY --from=nodes /node /copied
RUN --mount=from=nodes,target=/bound --mount=type=cache,from=nodes,target=/cached \\
    for node in /node /copied /bound/node /cached/node; do \\
      test -b $node && { head -c 1 $node >/dev/null || echo closed $node; }; \\
    done; echo x >/dev/null && head -c 1 /dev/zero /dev/urandom >/dev/null && echo ordinary
RUN mknod /own b 7 0 || echo not made
"""
NOTICE = (
    "steps can't make or open device nodes, as nothing else filters devices: the control groups are mounted"
)


def test_nodes_of_images_and_copies(builder: Builder) -> None:
    """The nodes are made where there is a filter; a step that is cached counts."""
    nodes = NODES.format(*block_device())
    builder.build(builder.context("nodes", nodes))
    outcome = builder.through(*THROUGH_READ_ONLY).build(builder.context("uses", nodes + USES))
    told = lines(outcome)
    for node in ("/node", "/copied", "/bound/node", "/cached/node"):
        assert f"closed {node}" in told
    assert {"ordinary", "not made"} <= set(told)
    assert outcome.err.count(NOTICE) == 1


def test_a_device_is_refused(builder: Builder) -> None:
    context = builder.context(
        "context", "FROM base\nRUN touch /ran\nRUN --device=vendor.test/tool=one true\n"
    )
    through = builder.through(*machine(builder, SPEC), *THROUGH_READ_ONLY)
    outcome = through.build("--allow=device", context, code=1)
    assert (
        "device vendor.test/tool=one is refused here: nothing would keep the step from all dev" in outcome.err
    )
    assert "Dockerfile:3" in outcome.err
    assert "RUN touch" not in outcome.err
    assert "help: build where root may write control groups" in outcome.err
