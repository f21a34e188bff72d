"""What of a mount decides whether a step runs again."""

from __future__ import annotations

import pytest
from tests.e2e.building import Builder, steps_run

pytestmark = [pytest.mark.root, pytest.mark.crun]


def test_only_the_mounted_part_of_a_stage_counts(builder: Builder) -> None:
    dockerfile = """\
FROM base AS made
COPY files /files/
FROM base
RUN --mount=type=bind,from=made,source=/files/a,target=/a cat /a/one
RUN --mount=type=bind,from=made,source=/files,target=/all cat /all/b/two
"""
    first = builder.context("first", dockerfile, **{"files/a/one": "1", "files/b/two": "2"})
    builder.build(first)
    other = builder.context("other", dockerfile, **{"files/a/one": "1", "files/b/two": "changed"})
    ran = steps_run(builder.build(other))
    assert [step for step in ran if "cat /a/one" in step] == []
    assert [step for step in ran if "cat /all/b/two" in step] != []


def test_only_the_mounted_part_of_the_context_counts(builder: Builder) -> None:
    dockerfile = """\
FROM base
RUN --mount=type=bind,source=a,target=/a cat /a/one
RUN --mount=type=bind,source=b,target=/b,rw touch /b/made; cat /b/two
"""
    first = builder.context("first", dockerfile, **{"a/one": "1", "b/two": "2", "c": "3"})
    builder.build(first)
    assert steps_run(builder.build(first)) == []
    second = builder.context("second", dockerfile, **{"a/one": "1", "b/two": "2", "c": "changed"})
    assert steps_run(builder.build(second)) == []
    third = builder.context("third", dockerfile, **{"a/one": "1", "b/two": "changed", "c": "3"})
    ran = [step for step in steps_run(builder.build(third)) if step.startswith("RUN")]
    assert len(ran) == 1
    assert "cat /b/two" in ran[0]


def test_which_cache_is_mounted_does_not_count(builder: Builder) -> None:
    text = "FROM base\nRUN --mount=type=cache,target=/c,id={},sharing={} echo made >/made\n"
    builder.build(builder.context("first", text.format("one", "shared")))
    assert steps_run(builder.build(builder.context("second", text.format("two", "locked")))) == []


def test_writes_to_a_bind_are_dropped(builder: Builder) -> None:
    context = builder.context(
        "context",
        """\
FROM base AS made
RUN mkdir /m && echo 1 >/m/file
FROM base
RUN --mount=type=bind,from=made,source=/m,target=/m,rw echo 2 >/m/file && echo 3 >/m/more && cat /m/file
RUN --mount=type=bind,from=made,source=/m,target=/n test "$(ls /n)" = file && test "$(cat /n/file)" = 1
RUN test ! -e /m && test ! -e /n
""",
    )
    builder.build(context)
