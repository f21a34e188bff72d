"""Caches outside of the daemon's store: what one daemon gives to them, another one takes."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest
from tests.daemon.client.contents import Blobs, Stores
from tests.daemon.client.control import Daemon
from tests.daemon.client.progress import Progress
from tests.daemon.client.solving import Build, SolveFailed, solve
from tests.daemon.export.exported import files, oci
from tests.support.daemons import HOST_NETWORK, StartDaemon

from pybuild.compiler.file_actions import copy
from pybuild.compiler.state import State
from pybuild.runtime.cache import cacheconfig
from pybuild.runtime.image.descriptor import Descriptor

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]

RUNS = (HOST_NETWORK,)
FLAGS = ("--allow-insecure-entitlement", HOST_NETWORK)


def graph(base: State) -> State:
    """A result that holds nothing of the step that made it but a file."""
    made = base.run(shell="cat /proc/sys/kernel/random/uuid > /made")
    return State.scratch().file(copy(made, "/made", "/result"))


def ran(progress: Progress) -> list[str]:
    """The names of the steps that were run."""
    steps = [one for one in progress.vertexes.values() if one.name.startswith("/bin/sh")]
    return [one.name for one in steps if one.HasField("started") and not one.cached]


def test_a_cache_in_the_registry(
    daemon: Daemon, start_daemon: StartDaemon, base: State, registry: str, tmp_path: Path
) -> None:
    ref = {"ref": f"{registry}/pybuild-cache:{uuid4().hex}", "registry.insecure": "true"}
    first, answer = oci(
        daemon,
        tmp_path,
        graph=graph(base),
        entitlements=RUNS,
        cache_to=[("registry", {**ref, "mode": "max"})],
    )
    assert len(json.loads(answer["cache.manifest"])["digest"]) == 71
    with start_daemon(*FLAGS).connect() as other:
        again, _ = oci(other, tmp_path, graph=graph(base), entitlements=RUNS, cache_from=[("registry", ref)])
        assert again.target["layers"] == first.target["layers"]
        changed = graph(base).file(copy(files(f="1"), "/f", "/more"))
        solved = solve(other, Build(changed, entitlements=RUNS, cache_from=[("registry", ref)]))
        assert ran(solved.progress) == []


def test_a_cache_in_a_directory_of_the_client(
    daemon: Daemon, start_daemon: StartDaemon, base: State, tmp_path: Path
) -> None:
    store = Blobs()
    offers = [Stores({"local:/cache": store}).offer()]
    first, answer = oci(
        daemon,
        tmp_path,
        graph=graph(base),
        entitlements=RUNS,
        offers=offers,
        cache_to=[("local", {"dest": "/cache", "mode": "max", "compression": "zstd"})],
    )
    digest = json.loads(answer["cache.manifest"])["digest"]
    kinds = {layer["mediaType"].rpartition("+")[2] for layer in json.loads(store.blobs[digest])["layers"]}
    assert "zstd" in kinds
    source = {"src": "/cache", "digest": digest}
    with start_daemon(*FLAGS).connect() as other:
        again, _ = oci(
            other,
            tmp_path,
            graph=graph(base),
            entitlements=RUNS,
            offers=offers,
            cache_from=[("local", source)],
        )
    config, old = (one.json(one.target["config"]["digest"]) for one in (again, first))
    assert config["rootfs"] == old["rootfs"]


def test_a_cache_in_the_image(daemon: Daemon, start_daemon: StartDaemon, base: State, registry: str) -> None:
    name = f"{registry}/pybuild-cache:{uuid4().hex}"
    push = {"name": name, "push": "true", "registry.insecure": "true"}
    result = base.run(shell="cat /proc/sys/kernel/random/uuid > /made")
    solve(daemon, Build(result, entitlements=RUNS, exporters=[("image", push)], cache_to=[("inline", {})]))
    source = [("registry", {"ref": name, "registry.insecure": "true"})]
    with start_daemon(*FLAGS).connect() as other:
        solved = solve(other, Build(result, entitlements=RUNS, cache_from=source))
        assert ran(solved.progress) == []


def test_a_cache_that_can_not_be_read(daemon: Daemon) -> None:
    solved = solve(daemon, Build(files(f="1"), cache_from=[("registry", {"ref": "127.0.0.1:1/none"})]))
    (vertex,) = (one for one in solved.progress.vertexes.values() if "importing" in one.name)
    assert vertex.name == "importing cache manifest from 127.0.0.1:1/none"
    assert vertex.error


@pytest.mark.parametrize(
    ("type", "attrs", "message"),
    [
        ("gha", {}, "exporting a cache of type gha is not supported"),
        ("shelf", {}, 'unknown cache exporter: "shelf"'),
        ("local", {}, "dest is not set"),
        ("registry", {"ref": "127.0.0.1:1/none", "image-manifest": "false"}, "as image manifests only"),
        ("registry", {"ref": "127.0.0.1:1/none"}, "127.0.0.1:1"),
    ],
)
def test_refused(daemon: Daemon, type: str, attrs: dict[str, str], message: str) -> None:
    with pytest.raises(SolveFailed) as failed:
        solve(daemon, Build(files(f="1"), cache_to=[(type, attrs)]))
    assert message in failed.value.message
    lenient = {**attrs, "ignore-error": "true"}
    if message.startswith(("127", "exporting")):
        solve(daemon, Build(files(f="1"), cache_to=[(type, lenient)]))


def layer(number: int) -> Descriptor:
    digest = f"sha256:{number:064x}"
    return Descriptor("application/vnd.oci.image.layer.v1.tar+gzip", digest, number, diff_id=digest)


def test_a_config_and_back() -> None:
    one, two, three = layer(1), layer(2), layer(3)
    entries = [
        cacheconfig.Entry("k1", "o1", "c1", [[one], None]),
        cacheconfig.Entry("k2", "o2", "", [[one, two]]),
        cacheconfig.Entry("k3", "o3", "", [[one, three], []]),
    ]
    data, blobs = cacheconfig.encode(entries)
    assert [blob.digest for blob in blobs] == [one.digest, two.digest, three.digest]
    back = cacheconfig.decode(data)
    assert [(e.key, e.op, e.content, e.results) for e in back] == [
        (e.key, e.op, e.content, e.results) for e in entries
    ]
    inline = cacheconfig.decode_inline(cacheconfig.encode_inline(entries, [one, two]), [one, two])
    assert [(e.key, e.results) for e in inline] == [("k1", ((one,), None)), ("k2", ((one, two),))]


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{",
        b'{"layers": [1]}',
        b'{"layers": [{"blob": "x", "annotations": {"diffID": "y", "size": 1, "mediaType": ""}}]}',
        b'{"records": [{"digest": 1, "pybuild": {}}]}',
        b'{"records": [{"digest": "k", "pybuild": {"op": "o", "outputs": [7]}}]}',
        b'{"records": [{"digest": "k", "pybuild": {"op": "o", "outputs": ["7"]}}]}',
        b"[" * 100_000,
    ],
)
def test_no_config(data: bytes) -> None:
    with pytest.raises(cacheconfig.BadConfig):
        cacheconfig.decode(data)
