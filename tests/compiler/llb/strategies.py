"""Hypothesis strategies for arbitrary LLB graphs: every op, every field, metadata and spans."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from pybuild.compiler import ops
from pybuild.compiler.graph import Edge, LinuxResources, Metadata, ProgressGroup, Vertex
from pybuild.lang.source import Source, Span

texts = st.text(st.characters(codec="utf-8"), max_size=6)
int64s = st.sampled_from([0, 1, -1, 127, 128, 2**31, 2**63 - 1, -(2**63)]) | st.integers(-300, 300)
int32s = st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31)]) | st.integers(-300, 300)
uint32s = st.sampled_from([0, 1, 128, 2**32 - 1]) | st.integers(0, 70_000)
uint64s = st.sampled_from([0, 1, 2**64 - 1]) | st.integers(0, 70_000)
booleans = st.booleans()
maps = st.dictionaries(texts, texts, max_size=4)


def lists(element: st.SearchStrategy[Any], size: int = 3) -> st.SearchStrategy[Any]:
    return st.lists(element, max_size=size).map(tuple)


def optional(element: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | element


platforms = st.builds(ops.Platform, texts, texts, texts, texts, lists(texts, 2))
sources = st.builds(ops.SourceOp, texts, maps)
metas = st.builds(
    ops.Meta,
    args=lists(texts),
    env=lists(texts),
    cwd=texts,
    user=texts,
    proxy_env=optional(st.builds(ops.ProxyEnv, texts, texts, texts, texts, texts)),
    extra_hosts=lists(st.builds(ops.HostIP, texts, texts), 2),
    hostname=texts,
    ulimit=lists(st.builds(ops.Ulimit, texts, int64s, int64s), 2),
    cgroup_parent=texts,
    remove_mount_stubs_recursive=booleans,
    valid_exit_codes=lists(int32s),
)
mounts = st.builds(
    ops.Mount,
    input=int64s,
    selector=texts,
    dest=texts,
    output=int64s,
    readonly=booleans,
    mount_type=st.sampled_from(ops.MountType),
    tmpfs_opt=optional(st.builds(ops.TmpfsOpt, int64s)),
    cache_opt=optional(st.builds(ops.CacheOpt, texts, st.sampled_from(ops.CacheSharing))),
    secret_opt=optional(st.builds(ops.SecretOpt, texts, uint32s, uint32s, uint32s, booleans)),
    ssh_opt=optional(st.builds(ops.SSHOpt, texts, uint32s, uint32s, uint32s, booleans)),
    result_id=texts,
    content_cache=st.sampled_from(ops.ContentCache),
)
execs = st.builds(
    ops.ExecOp,
    meta=metas,
    mounts=lists(mounts),
    network=st.sampled_from(ops.NetMode),
    security=st.sampled_from(ops.SecurityMode),
    secret_env=lists(st.builds(ops.SecretEnv, texts, texts, booleans), 2),
    cdi_devices=lists(st.builds(ops.CDIDevice, texts, booleans), 2),
)
users = st.none() | uint32s | st.builds(ops.NamedUser, texts, int64s)
owners = optional(st.builds(ops.ChownOpt, users, users))
copies = st.builds(
    ops.Copy,
    src=texts,
    dest=texts,
    owner=owners,
    mode=int32s,
    follow_symlink=booleans,
    dir_copy_contents=booleans,
    attempt_unpack=booleans,
    create_dest_path=booleans,
    allow_wildcard=booleans,
    allow_empty_wildcard=booleans,
    timestamp=int64s,
    include_patterns=lists(texts),
    exclude_patterns=lists(texts),
    always_replace_existing_dest_paths=booleans,
    mode_str=texts,
    required_paths=lists(texts),
)
actions = st.one_of(
    copies,
    st.builds(ops.MkFile, texts, int32s, st.binary(max_size=8), owners, int64s),
    st.builds(ops.MkDir, texts, int32s, booleans, owners, int64s),
    st.builds(ops.Rm, texts, booleans, booleans),
    st.builds(ops.Symlink, texts, texts, owners, int64s),
)
files = st.builds(ops.FileOp, lists(st.builds(ops.FileAction, int64s, int64s, int64s, actions)))
builds = st.builds(
    ops.BuildOp,
    builder=int64s,
    inputs=st.dictionaries(texts, int64s, max_size=3),
    definition=optional(st.binary(max_size=8)),
    attrs=maps,
)
merges = st.builds(ops.MergeOp, lists(int64s))
diffs = st.builds(ops.DiffOp, int64s, int64s)
passthroughs = st.builds(ops.PassthroughOp, texts, lists(int64s))
any_op = st.one_of(sources, execs, files, builds, merges, diffs, passthroughs)

build_files = st.builds(
    Source,
    st.sampled_from(["Dockerfile", "build.pybuild", "build.py", "a b.Dockerfile"]),
    st.text(st.characters(codec="utf-8"), max_size=40),
)


@st.composite
def spans(draw: st.DrawFn, files: list[Source]) -> Span:
    """Whole lines, or a part that starts behind a line's first character."""
    source = draw(st.sampled_from(files))
    line = draw(st.integers(1, 4))
    end_line = draw(st.integers(line, 5))
    if draw(booleans):
        if not source.line(end_line):
            end_line = line
        return Span(source, line, 1, end_line, len(source.line(end_line)) + 1)
    column = draw(st.integers(2, 9))
    low = column if end_line == line else 2
    return Span(source, line, column, end_line, draw(st.integers(low, low + 9)))


def metadata(files: list[Source]) -> st.SearchStrategy[Metadata]:
    return st.builds(
        Metadata,
        ignore_cache=booleans,
        description=maps,
        export_cache=optional(booleans),
        caps=st.dictionaries(texts, booleans, max_size=3),
        progress_group=optional(st.builds(ProgressGroup, texts, texts, booleans)),
        linux_resources=optional(
            st.builds(LinuxResources, int64s, int64s, uint64s, uint64s, int64s, texts, texts)
        ),
        spans=lists(spans(files), 2),
    )


@st.composite
def graphs(draw: st.DrawFn, *, max_vertices: int = 5, op: st.SearchStrategy[Any] = any_op) -> Edge:
    """An edge of an arbitrary graph of up to `max_vertices` vertices; input numbers in ops are arbitrary."""
    files = draw(st.lists(build_files, min_size=1, max_size=2))
    made: list[Vertex] = []
    for _ in range(draw(st.integers(1, max_vertices))):
        edges: list[Edge] = []
        if made:
            edge = st.builds(Edge, st.sampled_from(made), st.integers(0, 3))
            edges = draw(st.lists(edge, max_size=3))
        constraints = optional(lists(texts, 2))
        made.append(
            Vertex(
                draw(op), tuple(edges), draw(optional(platforms)), draw(constraints), draw(metadata(files))
            )
        )
    return Edge(made[-1], draw(st.integers(0, 3)))
