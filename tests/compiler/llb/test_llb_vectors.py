"""Bytes written by hand from the wire tables: a tag is `field << 3 | type`, type 0 a varint, 2 with a length.

In the hex, text after `#` says what the bytes are. -1 is the ten-byte varint `ff*9 01`.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from pybuild.compiler import ops
from pybuild.compiler.graph import Edge, LinuxResources, Metadata, ProgressGroup, Vertex
from pybuild.compiler.llb.decode import decode_metadata, decode_op
from pybuild.compiler.llb.encode import encode_definition, encode_metadata, encode_op
from pybuild.lang.source import Source, Span

MINUS_ONE = "ff ff ff ff ff ff ff ff ff 01"


def octets(annotated: str) -> bytes:
    return bytes.fromhex("".join(line.split("#")[0] for line in annotated.splitlines()))


def named(digest: str) -> Vertex:
    """A vertex with a digest of one's choice, to keep the hex short."""
    vertex = Vertex(ops.SourceOp())
    vertex.__dict__["digest"] = digest
    return vertex


IMAGE_ATTRS: Any = {"image.resolvemode": "pull", "b": ""}
INPUTS: Any = {"b": 0, "a": 1}
ATTRS: Any = {"k": "v"}
A, B = Edge(named("a")), Edge(named("b"), 2)

OPS: dict[str, tuple[Vertex, str]] = {
    "image source": (
        Vertex(
            ops.SourceOp("docker-image://x", IMAGE_ATTRS),
            (),
            ops.Platform("amd64", "linux"),
        ),
        """
        52 0e                                     # 10 platform, 14 bytes
          0a 05 61 6d 64 36 34                    #   1 architecture "amd64"
          12 05 6c 69 6e 75 78                    #   2 os "linux"
        5a 00                                     # 11 constraints, present and empty
        1a 34                                     # 3 source (oneof: last), 52 bytes
          0a 10 64 6f 63 6b 65 72 2d 69 6d 61 67 65 3a 2f 2f 78   # 1 identifier
          12 05                                   #   2 attrs entry, "b" before "image..."
            0a 01 62                              #     1 key
            12 00                                 #     2 value, written though empty
          12 19                                   #   2 attrs entry, 25 bytes
            0a 11 69 6d 61 67 65 2e 72 65 73 6f 6c 76 65 6d 6f 64 65
            12 04 70 75 6c 6c
        """,
    ),
    "constraints absent, platform empty": (
        Vertex(ops.SourceOp("s"), (), ops.Platform(), None),
        """
        52 00                                     # 10 platform
        1a 03 0a 01 73                            # 3 source, 1 identifier "s"
        """,
    ),
    "worker filters": (
        Vertex(ops.SourceOp("s"), (), None, ("f", "")),
        """
        5a 05 0a 01 66 0a 00                      # 11 constraints: 1 filter twice, the second empty
        1a 03 0a 01 73
        """,
    ),
    "exec": (
        Vertex(
            ops.ExecOp(
                ops.Meta(
                    args=("a", ""),
                    env=("K=v",),
                    cwd="/",
                    remove_mount_stubs_recursive=True,
                    valid_exit_codes=(0, 1, 300),
                ),
                (ops.Mount(input=0, dest="/", output=0),),
                ops.NetMode.NONE,
                ops.SecurityMode.INSECURE,
                (ops.SecretEnv("i", "N", True),),
                (ops.CDIDevice("d", False),),
            ),
            (A, B),
        ),
        """
        0a 03 0a 01 61                            # 1 input: digest "a", index 0 left out
        0a 05 0a 01 62 10 02                      # 1 input: digest "b", index 2
        5a 00                                     # 11 constraints
        12 2f                                     # 2 exec, 47 bytes
          0a 15                                   #   1 meta, 21 bytes
            0a 01 61 0a 00                        #     1 args
            12 03 4b 3d 76                        #     2 env
            1a 01 2f                              #     3 cwd
            58 01                                 #     11 remove mount stubs
            62 04 00 01 ac 02                     #     12 exit codes, packed
          12 03 1a 01 2f                          #   2 mount: 3 dest; input 0 and output 0 left out
          18 02                                   #   3 network
          20 01                                   #   4 security
          2a 08 0a 01 69 12 01 4e 18 01           #   5 secretenv
          32 03 0a 01 64                          #   6 cdiDevices
        """,
    ),
    "mount types": (
        Vertex(
            ops.ExecOp(
                mounts=(
                    ops.Mount(
                        -1,
                        "s",
                        "/c",
                        -1,
                        True,
                        ops.MountType.CACHE,
                        cache_opt=ops.CacheOpt("i", ops.CacheSharing.LOCKED),
                        content_cache=ops.ContentCache.OFF,
                    ),
                    ops.Mount(
                        -1, mount_type=ops.MountType.SECRET, secret_opt=ops.SecretOpt("i", 1, 2, 0o400, True)
                    ),
                    ops.Mount(
                        -1, mount_type=ops.MountType.SSH, ssh_opt=ops.SSHOpt(mode=0o600), result_id="r"
                    ),
                    ops.Mount(-1, output=-1, mount_type=ops.MountType.TMPFS, tmpfs_opt=ops.TmpfsOpt()),
                )
            )
        ),
        f"""
        5a 00
        12 84 01                                  # 2 exec, 132 bytes
          0a 00                                   #   1 meta, present and empty
          12 2c                                   #   2 mount, 44 bytes
            08 {MINUS_ONE}                        #     1 input
            12 01 73                              #     2 selector
            1a 02 2f 63                           #     3 dest
            20 {MINUS_ONE}                        #     4 output
            28 01                                 #     5 readonly
            30 03                                 #     6 mountType CACHE
            a2 01 05 0a 01 69 10 02               #     20 cacheOpt: id, sharing LOCKED
            c0 01 02                              #     24 contentCache OFF
          12 1c                                   #   2 mount, 28 bytes
            08 {MINUS_ONE}
            30 01                                 #     6 mountType SECRET
            aa 01 0c                              #     21 secretOpt, 12 bytes
              0a 01 69 10 01 18 02 20 80 02 28 01
          12 17                                   #   2 mount, 23 bytes
            08 {MINUS_ONE}
            30 02                                 #     6 mountType SSH
            b2 01 03 20 80 03                     #     22 SSHOpt: mode 0600
            ba 01 01 72                           #     23 resultID
          12 1b                                   #   2 mount, 27 bytes
            08 {MINUS_ONE}
            20 {MINUS_ONE}
            30 04                                 #     6 mountType TMPFS
            9a 01 00                              #     19 TmpfsOpt, present and empty
        """,
    ),
    "meta, every field": (
        Vertex(
            ops.ExecOp(
                ops.Meta(
                    user="u",
                    proxy_env=ops.ProxyEnv("a", "b", "c", "d", "e"),
                    extra_hosts=(ops.HostIP("h", "1"),),
                    hostname="n",
                    ulimit=(ops.Ulimit("l", 1, -1),),
                    cgroup_parent="g",
                )
            )
        ),
        f"""
        5a 00
        12 36                                     # 2 exec, 54 bytes
          0a 34                                   #   1 meta, 52 bytes
            22 01 75                              #     4 user
            2a 0f 0a 01 61 12 01 62 1a 01 63 22 01 64 2a 01 65   # 5 proxy_env
            32 06 0a 01 68 12 01 31               #     6 extraHosts
            3a 01 6e                              #     7 hostname
            4a 10 0a 01 6c 10 01 18 {MINUS_ONE}   #     9 ulimit
            52 01 67                              #     10 cgroupParent
        """,
    ),
    "file copy, all of it": (
        Vertex(
            ops.FileOp(
                (
                    ops.FileAction(
                        0,
                        1,
                        0,
                        ops.Copy(
                            "/a",
                            "/b",
                            ops.ChownOpt(ops.NamedUser("u", 1), 0),
                            0o644,
                            True,
                            True,
                            True,
                            True,
                            True,
                            True,
                            1,
                            ("i",),
                            ("e",),
                            True,
                            "m",
                            ("r",),
                        ),
                    ),
                )
            )
        ),
        """
        5a 00
        22 3d                                     # 4 file, 61 bytes
          12 3b                                   #   2 action, 59 bytes
            10 01                                 #     2 secondaryInput 1
            22 37                                 #     4 copy (oneof: last), 55 bytes
              0a 02 2f 61                         #       1 src
              12 02 2f 62                         #       2 dest
              1a 0d                               #       3 owner, 13 bytes
                0a 07 0a 05 0a 01 75 10 01        #         1 user: 1 byName: name, input
                12 02 10 00                       #         2 group: 2 byID 0 (oneof: written)
              20 a4 03                            #       4 mode 0644
              28 01 30 01 38 01 40 01 48 01 50 01 #       5 to 10
              58 01                               #       11 timestamp
              62 01 69                            #       12 include
              6a 01 65                            #       13 exclude
              70 01                               #       14 always replace
              7a 01 6d                            #       15 modeStr
              82 01 01 72                         #       16 required
        """,
    ),
    "file copy, defaults": (
        Vertex(ops.FileOp((ops.FileAction(0, -1, -1, ops.Copy()),))),
        f"""
        5a 00
        22 30                                     # 4 file
          12 2e                                   #   2 action, 46 bytes
            10 {MINUS_ONE}                        #     2 secondaryInput -1
            18 {MINUS_ONE}                        #     3 output -1
            22 16                                 #     4 copy, 22 bytes
              20 {MINUS_ONE}                      #       4 mode -1
              58 {MINUS_ONE}                      #       11 timestamp -1
        """,
    ),
    "mkfile, mkdir, rm, symlink": (
        Vertex(
            ops.FileOp(
                (
                    ops.FileAction(0, 0, 0, ops.MkFile("/f", 0o600, b"\x00", ops.ChownOpt(), 0)),
                    ops.FileAction(0, 0, 0, ops.MkDir("/d", 0o755, True, ops.ChownOpt(None, 300), 1)),
                    ops.FileAction(0, 0, 0, ops.Rm()),
                    ops.FileAction(0, 0, 0, ops.Symlink("a", "b", None, 0)),
                )
            )
        ),
        """
        5a 00
        22 34                                     # 4 file, 52 bytes
          12 0e                                   #   2 action
            2a 0c                                 #     5 mkfile, 12 bytes
              0a 02 2f 66                         #       1 path
              10 80 03                            #       2 mode
              1a 01 00                            #       3 data
              22 00                               #       4 owner, present and empty; 5 timestamp 0 left out
          12 14                                   #   2 action
            32 12                                 #     6 mkdir, 18 bytes
              0a 02 2f 64
              10 ed 03
              18 01                               #       3 makeParents
              22 05 12 03 10 ac 02                #       4 owner: 2 group: 2 byID 300
              28 01                               #       5 timestamp
          12 02 3a 00                             #   2 action: 7 rm, present and empty
          12 08 42 06 0a 01 61 12 01 62           #   2 action: 8 symlink
        """,
    ),
    "build": (
        Vertex(ops.BuildOp(-1, INPUTS, b"\x0a\x00", ATTRS)),
        f"""
        5a 00
        2a 27                                     # 5 build, 39 bytes
          08 {MINUS_ONE}                          #   1 builder
          12 07 0a 01 61 12 02 08 01              #   2 inputs "a": input 1
          12 05 0a 01 62 12 00                    #   2 inputs "b": input 0, present and empty
          1a 02 0a 00                             #   3 def
          22 06 0a 01 6b 12 01 76                 #   4 attrs
        """,
    ),
    "merge": (
        Vertex(ops.MergeOp((0, 1)), (A, A)),
        """
        0a 03 0a 01 61
        0a 03 0a 01 61
        5a 00
        32 06                                     # 6 merge
          0a 00                                   #   1 input 0
          0a 02 08 01                             #   1 input 1
        """,
    ),
    "diff": (
        Vertex(ops.DiffOp(0, -1), (A,)),
        f"""
        0a 03 0a 01 61
        5a 00
        3a 0f                                     # 7 diff
          0a 00                                   #   1 lower: input 0
          12 0b 08 {MINUS_ONE}                    #   2 upper: input -1
        """,
    ),
    "passthrough": (
        Vertex(ops.PassthroughOp("p", (0, 1))),
        """
        5a 00
        42 07                                     # 8 passthrough
          0a 01 70                                #   1 id
          12 02 00 01                             #   2 outputs, packed
        """,
    ),
    "platform, every field": (
        Vertex(ops.MergeOp(), (), ops.Platform("a", "o", "v", "1", ("f", "g"))),
        """
        52 12                                     # 10 platform, 18 bytes
          0a 01 61 12 01 6f 1a 01 76 22 01 31 2a 01 66 2a 01 67
        5a 00
        32 00                                     # 6 merge, present and empty
        """,
    ),
}


@pytest.mark.parametrize("name", OPS)
def test_op_bytes(name: str) -> None:
    vertex, annotated = OPS[name]
    expected = octets(annotated)
    assert encode_op(vertex).hex(" ") == expected.hex(" ")
    op, inputs, platform, constraints = decode_op(expected)
    assert op == vertex.op
    assert inputs == tuple((edge.vertex.digest, edge.index) for edge in vertex.inputs)
    assert (platform, constraints) == (vertex.platform, vertex.constraints)


METADATA: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, ""),
    "every field": (
        {
            "ignore_cache": True,
            "description": {"llb.customname": "n"},
            "export_cache": True,
            "caps": {"b": False, "a": True},
            "progress_group": ProgressGroup("i", "n", True),
            "linux_resources": LinuxResources(1, -1, 2, 3, 4, "0", "1"),
        },
        f"""
        08 01                                     # 1 ignore_cache
        12 13 0a 0e 6c 6c 62 2e 63 75 73 74 6f 6d 6e 61 6d 65 12 01 6e   # 2 description
        22 02 08 01                               # 4 export_cache
        2a 05 0a 01 61 10 01                      # 5 caps "a": true
        2a 05 0a 01 62 10 00                      # 5 caps "b": false, written
        32 08 0a 01 69 12 01 6e 18 01             # 6 progress_group
        3a 19                                     # 7 linux_resources, 25 bytes
          08 01 10 {MINUS_ONE} 18 02 20 03 28 04 32 01 30 3a 01 31
        """,
    ),
    "cache not exported": ({"export_cache": False}, "22 00    # 4 export_cache, present and empty"),
}


@pytest.mark.parametrize("name", METADATA)
def test_metadata_bytes(name: str) -> None:
    values, annotated = METADATA[name]
    expected = octets(annotated)
    assert encode_metadata(Metadata(**values)).hex(" ") == expected.hex(" ")
    assert decode_metadata(expected) == Metadata(**values)


def test_definition_bytes() -> None:
    source = Source("Dockerfile", "FROM s\nRUN x\n")
    vertex = Vertex(
        ops.SourceOp("s"),
        (),
        None,
        (),
        Metadata(spans=(Span(source, 1, 1, 1, 7), Span(source, 2, 5, 2, 6))),
    )
    digest = vertex.digest
    name = digest.encode().hex()
    assert len(digest) == 71
    terminal = bytes.fromhex("0a490a47" + name)
    end = b"sha256:" + hashlib.sha256(terminal).hexdigest().encode()
    entries = {
        digest.encode(): f"12 4b 0a 47 {name} 12 00             # 2 metadata of the op: present and empty",
        end: f"""
        12 6a                                     # 2 metadata of the last op, 106 bytes
          0a 47 {end.hex()}
          12 1f                                   #   2 value, 31 bytes
            2a 0f 0a 0b 63 6f 6e 73 74 72 61 69 6e 74 73 10 01   # 5 caps "constraints": true
            2a 0c 0a 08 70 6c 61 74 66 6f 72 6d 10 01            # 5 caps "platform": true
        """,
    }
    expected = octets(
        f"""
        0a 07 5a 00 1a 03 0a 01 73                # 1 def: the source op
        0a 4b 0a 49 0a 47 {name}                  # 1 def: the last op, one input and nothing else
        """
        + "\n".join(entries[key] for key in sorted(entries))
        + f"""
        1a 92 01                                  # 3 Source, 146 bytes
          0a 67                                   #   1 locations entry, 103 bytes
            0a 47 {name}
            12 1c                                 #     2 Locations, 28 bytes
              0a 0a                               #       1 Location; sourceIndex 0 left out
                12 08                             #         2 range, whole line 1
                  0a 02 08 01                     #           1 start line 1, character 0 left out
                  12 02 08 01                     #           2 end line 1
              0a 0e                               #       1 Location
                12 0c                             #         2 range
                  0a 04 08 02 10 04               #           1 start line 2, character 4
                  12 04 08 02 10 05               #           2 end line 2, character 5
          12 27                                   #   2 info, 39 bytes
            0a 0a 44 6f 63 6b 65 72 66 69 6c 65   #     1 filename
            12 0d 46 52 4f 4d 20 73 0a 52 55 4e 20 78 0a         # 2 data
            22 0a 44 6f 63 6b 65 72 66 69 6c 65   #     4 language
        """
    )
    assert encode_definition(Edge(vertex)).hex(" ") == expected.hex(" ")
