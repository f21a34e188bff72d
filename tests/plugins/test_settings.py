"""Settings of all steps, applied to graphs that know nothing of them."""

from __future__ import annotations

import pytest
from attrs import evolve

from pybuild.compiler.graph import Edge, walk
from pybuild.compiler.llb.decode import decode_definition
from pybuild.compiler.llb.encode import encode_definition
from pybuild.compiler.lower.step_defaults import StepDefaults
from pybuild.compiler.ops import ExecOp, HostIP, NetMode, ProxyEnv, SourceOp, Ulimit
from pybuild.compiler.options import Options
from pybuild.compiler.state import State, bind, mkfile, tmpfs

ALL = StepDefaults(
    network="none",
    extra_hosts=(HostIP("a", "10.0.0.1"),),
    ulimits=(Ulimit("nofile", 10, 20),),
    shm_size=1 << 20,
    cgroup_parent="/mine",
    proxies={"HTTP_PROXY": "http://p"},
)


def steps(edge: Edge | None) -> list[ExecOp]:
    assert edge is not None
    return [vertex.op for vertex in walk([edge]) if isinstance(vertex.op, ExecOp)]


def chain() -> Edge:
    base = State.image("docker.io/library/a@sha256:" + "0" * 64)
    one = base.run(["one"], mounts=[bind("/in", State.scratch().file(mkfile("/x", b"x")))])
    two = (
        one.add_host("own", "10.0.0.9").network(NetMode.HOST).run(["two"], mounts=[tmpfs("/dev/shm", size=5)])
    )
    assert two.edge is not None
    return two.edge


def test_without_settings_the_graph_is_the_same() -> None:
    edge = chain()
    assert StepDefaults().applied([edge, None]) == [edge, None]
    assert StepDefaults().applied([edge])[0] is edge


def test_every_step_gets_them_and_keeps_what_it_says_itself() -> None:
    (found,) = ALL.applied([chain()])
    one, two = steps(found)
    assert (one.network, two.network) == (NetMode.NONE, NetMode.HOST)
    assert [host.host for host in one.meta.extra_hosts] == ["a"]
    assert [host.host for host in two.meta.extra_hosts] == ["own", "a"]
    assert one.meta.ulimit == two.meta.ulimit == (Ulimit("nofile", 10, 20),)
    assert one.meta.cgroup_parent == "/mine"
    assert one.meta.proxy_env == ProxyEnv(http_proxy="http://p")
    sizes = [
        [mount.tmpfs_opt.size for mount in op.mounts if mount.tmpfs_opt is not None] for op in (one, two)
    ]
    assert sizes == [[1 << 20], [5]]


def test_what_stands_in_the_graph_is_what_a_solver_is_told_to_need() -> None:
    """The definition is sound: it is read back as the same graph, with the capabilities of what was added."""
    (found,) = ALL.applied([chain()])
    assert found is not None
    again = decode_definition(encode_definition(found))
    assert again == found
    needed = set(found.vertex.inputs[0].vertex.metadata.caps)
    assert {"exec.meta.network", "exec.meta.proxyenv", "exec.meta.ulimit", "exec.mount.tmpfs.size"} <= needed


def test_steps_that_run_anew_are_the_same_steps() -> None:
    edge = chain()
    (found,) = StepDefaults(no_cache=True).applied([edge])
    assert found == edge
    assert found is not None
    for vertex in walk([found]):
        assert vertex.metadata.ignore_cache is not isinstance(vertex.op, SourceOp)


@pytest.mark.parametrize("settings", [evolve(ALL, shm_size=0), StepDefaults(no_cache=True)])
def test_sources_stay_the_vertices_that_they_are(settings: StepDefaults) -> None:
    state = State.image("a", options=Options(name="its name"))
    assert state.edge is not None
    (found,) = settings.applied([state.edge])
    assert found is not None
    assert found.vertex is state.edge.vertex


def test_what_two_edges_share_is_made_once() -> None:
    shared = State.image("a").run(["shared"])
    edges = [shared.run([name]).edge for name in ("x", "y")]
    first, second = ALL.applied(edges)
    assert first is not None
    assert second is not None
    assert first.vertex.inputs[0].vertex is second.vertex.inputs[0].vertex
