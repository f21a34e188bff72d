"""The unpacker that the comparison rests on."""

from __future__ import annotations

from tests.differential.casebook import entries
from tests.differential.comparing import tree_differences
from tests.differential.contexts import tar_bytes
from tests.differential.imagetree import Tree, apply_layer

LOWER = r"""
a/          0700 1:2
a/f         0640 3:4 one
a/g         => a/f
a/sub/x     x
b           old
l           -> a/f
"""


def merged(*layers: str) -> Tree:
    tree: Tree = {}
    for layer in layers:
        apply_layer(tree, tar_bytes(entries(layer)))
    return tree


def test_entries_of_one_layer() -> None:
    tree = merged(LOWER)
    assert sorted(tree) == [b"a", b"a/f", b"a/g", b"a/sub", b"a/sub/x", b"b", b"l"]
    assert (tree[b"a"].kind, tree[b"a"].mode, tree[b"a"].uid, tree[b"a"].gid) == ("directory", 0o700, 1, 2)
    assert tree[b"a/f"] == tree[b"a/g"]
    assert tree[b"a/f"].links == {b"a/f", b"a/g"}
    assert (tree[b"l"].kind, tree[b"l"].target) == ("symlink", b"a/f")
    assert tree[b"a/sub"].mode == 0o755


def test_whiteout_hides_a_file_and_a_tree() -> None:
    tree = merged(LOWER, ".wh.b\na/.wh.sub\n")
    assert sorted(tree) == [b"a", b"a/f", b"a/g", b"l"]


def test_a_whiteout_does_not_hide_what_its_own_layer_adds() -> None:
    assert merged(LOWER, "b new\n.wh.b\n")[b"b"].content == b"new"


def test_opaque_directory_hides_what_was_below() -> None:
    tree = merged(LOWER, "a/new n\na/.wh..wh..opq\n")
    assert sorted(path for path in tree if path.startswith(b"a/")) == [b"a/new"]


def test_removing_one_name_of_a_link_leaves_the_other_alone() -> None:
    assert merged(LOWER, "a/.wh.g\n")[b"a/f"].links == frozenset()


def test_other_types_replace_and_directories_merge() -> None:
    tree = merged(LOWER, "a/sub file\nb/ 0711\nb/c c\na/ 0750\n")
    assert tree[b"a/sub"].content == b"file"
    assert b"a/sub/x" not in tree
    assert tree[b"b"].mode == 0o711
    assert tree[b"a"].mode == 0o750
    assert tree[b"a/f"].content == b"one"


def test_differences_name_the_path_and_what_differs() -> None:
    (line,) = tree_differences(merged("f 0644 x\n"), merged("f 0600 x\n"))
    assert "b'f'" in line
    assert "0o600" in line
    assert not list(tree_differences(merged(LOWER), merged(LOWER)))
