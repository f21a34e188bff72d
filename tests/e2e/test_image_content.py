"""What is in images, where no neighbour can be asked: cells of `tests/differential/table.md` that Docker's BuildKit
is too old for, with the outcome written down."""

from __future__ import annotations

import os
import sys

import pytest
from tests.differential.casebook import entries
from tests.differential.contexts import tar_bytes
from tests.differential.imagetree import Entry, ReadImage, apply_layer, read_image
from tests.e2e.building import FIXED_TIME, Builder

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = [pytest.mark.root, pytest.mark.crun]


def image(builder: Builder, dockerfile: str, *flags: str, **files: str | bytes) -> ReadImage:
    context = builder.context("context", dockerfile, **files)
    archive = builder.place / "image.tar"
    builder.build(*flags, "-o", f"type=oci,dest={archive}", context)
    return read_image(archive)


def history(made: ReadImage) -> list[str]:
    return [entry["created_by"] for entry in made.config["history"]]


def test_add_unpacks_zstd(builder: Builder) -> None:
    archive = zstd.compress(tar_bytes(entries("d/ 0700 5:6\nd/f 4750 7:8 text\n")))
    made = image(builder, "FROM scratch\nADD a.tar.zst /to/\n", **{"a.tar.zst": archive})
    assert made.tree[b"to/d"] == Entry("directory", 0o700, 5, 6)
    assert made.tree[b"to/d/f"] == Entry("file", 0o4750, 7, 8, b"text")
    assert b"to/a.tar.zst" not in made.tree


def test_add_gives_an_archive_the_owner_asked_for(builder: Builder) -> None:
    archive = tar_bytes(entries("f 0640 7:8 text\n"))
    made = image(builder, "FROM scratch\nADD --chown=11:22 a.tar /to/\n", **{"a.tar": archive})
    assert made.tree[b"to/f"] == Entry("file", 0o640, 11, 22, b"text")


def test_symbolic_modes(builder: Builder) -> None:
    text = "FROM scratch\nCOPY --chmod=u=rwX,go=rX d /d\nCOPY --chmod=a+x,g-r d/f /f\n"
    made = image(builder, text, **{"d/f": "x", "d/sub/g": "y"})
    modes = {path: made.tree[path].mode for path in (b"d/f", b"d/sub", b"d/sub/g", b"f")}
    assert modes == {b"d/f": 0o644, b"d/sub": 0o755, b"d/sub/g": 0o644, b"f": 0o715}
    assert history(made)[0] == "COPY --chmod=u=rwX,go=rX d /d # buildkit"


def test_target_stage(builder: Builder) -> None:
    text = "FROM base AS one\nARG TARGETSTAGE\nRUN echo $TARGETSTAGE > /f\nFROM one AS two\nRUN exit 1\n"
    made = image(builder, text, "--target=one")
    assert made.tree[b"f"].content == b"one\n"
    assert history(made)[-2:] == [
        "ARG TARGETSTAGE=one",
        "RUN |1 TARGETSTAGE=one /bin/sh -c echo $TARGETSTAGE > /f # buildkit",
    ]


def test_a_trigger_copies_from_another_stage(builder: Builder) -> None:
    text = (
        "FROM base AS other\nRUN echo other > /o\n"
        "FROM base AS triggers\nONBUILD COPY --from=other /o /o\n"
        "FROM triggers\nRUN cat /o > /p\n"
    )
    made = image(builder, text)
    assert made.tree[b"p"].content == b"other\n"
    assert history(made)[1:] == ["COPY /o /o # buildkit", "RUN /bin/sh -c cat /o > /p # buildkit"]


def test_a_stage_names_its_parents_arguments(builder: Builder) -> None:
    text = "FROM base AS one\nARG A=1\nFROM one\nARG B=2 A\nRUN echo $A$B > /f\n"
    made = image(builder, text, "--build-arg=B=3")
    assert history(made)[1:] == [
        "ARG A=1",
        "ARG B=3 A",
        "RUN |2 A=1 B=3 /bin/sh -c echo $A$B > /f # buildkit",
    ]


def test_a_source_date_is_every_entry_s_time(builder: Builder) -> None:
    made = image(
        builder.in_environment(**FIXED_TIME),
        "FROM scratch\nCOPY f /f\nWORKDIR /w\nLABEL a=b\n",
        f="x",
    )
    times = {entry["created"] for entry in made.config["history"]} | {made.config["created"]}
    assert times == {"2023-11-14T22:13:20Z"}


def test_links_of_a_step_to_lower_layers_stay_links(builder: Builder) -> None:
    made = image(builder, "FROM base\nRUN ln /var/data/two /var/data/again\n")
    assert made.tree[b"var/data/two"].links == {b"var/data/two", b"var/data/again"}


def test_attributes_other_than_capabilities_are_kept(builder: Builder) -> None:
    context = builder.context("context", "FROM scratch\nCOPY f /f\n", f="x")
    os.setxattr(context / "f", "user.note", b"hello")
    made = image(builder, "FROM scratch\nCOPY f /f\n")
    assert made.tree[b"f"].xattrs == (("user.note", "hello"),)


def test_whiteouts_hide_what_a_parent_image_had(builder: Builder) -> None:
    """The tree is the one the running step saw."""
    text = (
        "FROM base\nRUN rm -r /var/data/sub && mkdir /var/data/sub && echo x > /var/data/sub/new\n"
        "RUN find /var/data | sort > /seen\n"
    )
    made = image(builder, text)
    below = sorted(path for path in made.tree if path.startswith(b"var/data"))
    assert made.tree[b"seen"].content == b"".join(b"/" + path + b"\n" for path in below)


def test_the_reader_of_images_sees_a_change() -> None:
    """The comparisons above could not fail if the reader left out what they compare."""
    tree: dict[bytes, Entry] = {}
    apply_layer(tree, tar_bytes(entries("f 0644 1:2 xattr:user.a=b x\n")))
    assert tree[b"f"] == Entry("file", 0o644, 1, 2, b"x", xattrs=(("user.a", "b"),))
