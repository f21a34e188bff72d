"""COPY --link: a layer that does not depend on what is below it."""

from __future__ import annotations

import json
import os
import signal
import tarfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.building import Builder, blob, manifest_of, steps_run
from tests.e2e.soundness import faults

from pybuild.runtime.verify.archives import verify_layout

pytestmark = [pytest.mark.root, pytest.mark.crun]


def exported(
    builder: Builder, context: Path, name: str, *flags: str
) -> tuple[list[str], list[str], list[str]]:
    """Digests of the layers, diff IDs, and the steps that were run."""
    out = builder.place / name
    outcome = builder.build(*flags, "-o", f"type=oci,dest={out},tar=false", context)
    assert verify_layout(str(out)) == []
    found: dict[str, Any] = manifest_of(out)
    config = json.loads(blob(out, found["config"]["digest"]))
    filled = [entry for entry in config["history"] if not entry.get("empty_layer")]
    assert len(filled) == len(found["layers"]) == len(config["rootfs"]["diff_ids"])
    return [one["digest"] for one in found["layers"]], config["rootfs"]["diff_ids"], steps_run(outcome)


def names(builder: Builder, layout: str, number: int) -> list[str]:
    found: dict[str, Any] = manifest_of(builder.place / layout)
    data = blob(builder.place / layout, found["layers"][number]["digest"])
    with tarfile.open(fileobj=BytesIO(data)) as archive:
        return archive.getnames()


DOCKERFILE = """\
FROM base AS stage
RUN mkdir /out && echo made >/out/tool && echo other >/out/rest
FROM base
RUN echo {base} >/base
COPY --link src /app/
COPY --link --from=stage /out/tool /usr/local/bin/
RUN cat /app/a /usr/local/bin/tool /base >/seen
"""


def test_another_base_leaves_the_layers(builder: Builder) -> None:
    context = builder.context("context", DOCKERFILE.format(base="one"), **{"src/a": "a", "src/d/b": "b"})
    first = exported(builder, context, "first")
    assert len(first[0]) == 5
    (context / "Dockerfile").write_text(DOCKERFILE.format(base="two"))
    layers, diff_ids, steps = exported(builder, context, "second")
    assert layers[2:4] == first[0][2:4]
    assert diff_ids[2:4] == first[1][2:4]
    assert layers[1] != first[0][1]
    assert layers[4] != first[0][4]
    assert [step for step in steps if step.startswith("COPY")] == []
    assert names(builder, "second", 2) == ["app", "app/a", "app/d", "app/d/b"]
    assert names(builder, "second", 3) == ["usr", "usr/local", "usr/local/bin", "usr/local/bin/tool"]
    assert exported(builder, context, "third")[2] == []
    assert faults(builder.store) == []


def test_a_changed_file_makes_its_copy_alone_anew(builder: Builder) -> None:
    dockerfile = "FROM base\nCOPY --link one /1\nCOPY --link two /2\nCOPY --link three /3\n"
    context = builder.context("context", dockerfile, one="1", two="2", three="3")
    first = exported(builder, context, "first")
    (context / "two").write_text("other")
    layers, _, steps = exported(builder, context, "second")
    assert [old == new for old, new in zip(first[0], layers, strict=True)] == [True, True, False, True]
    assert [step for step in steps if not step.startswith("LINK")] == ["COPY --link two /2"]


def test_a_symlink_at_the_destination_is_not_followed(builder: Builder) -> None:
    dockerfile = """\
FROM base
RUN mkdir /real && echo kept >/real/kept && ln -s /real /ln
COPY --link a /ln/a
COPY --link a /real/a
RUN test ! -L /ln && test -f /ln/a && test ! -e /ln/kept && test "$(ls /real | tr '\\n' ' ')" = "a kept "
"""
    context = builder.context("context", dockerfile, a="a")
    exported(builder, context, "out")


def test_over_files_and_directories(builder: Builder) -> None:
    dockerfile = """\
FROM base
RUN mkdir -p /d/sub && echo old >/d/old && echo file >/f && mkdir -m 700 /closed
COPY --link tree/ /
RUN test -d /f && test -f /f/in && test -f /d && test "$(stat -c %a /closed)" = 755 && test -f /closed/x
"""
    context = builder.context(
        "context", dockerfile, **{"tree/f/in": "1", "tree/d": "2", "tree/closed/x": "3"}
    )
    exported(builder, context, "out")


def test_names_of_owners_are_refused_and_numbers_are_not(builder: Builder) -> None:
    context = builder.context("context", "FROM base\nCOPY --link --chown=root:7 a /a\n", a="a")
    exported(builder, context, "numbers")
    context = builder.context("context", "FROM base\nCOPY --link --chown=nobody a /a\n")
    assert "invalid user index: -1" in builder.build(context, code=2).err


def test_two_names_of_a_file_are_two_files(builder: Builder) -> None:
    """A copy from a stage shares its files where it can; a program must not see that."""
    dockerfile = """\
FROM base AS stage
RUN echo data >/data
FROM stage
COPY --link --from=stage /data /again
RUN test "$(stat -c %h /data /again | tr '\\n' ' ')" != "2 2 " || test "$(stat -c %i /data)" != "$(stat -c %i /again)"
RUN echo more >>/again && test "$(cat /data)" = data
"""
    exported(builder, builder.context("context", dockerfile), "out")


def test_scratch_and_archives(builder: Builder) -> None:
    data = BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name in ("etc", "etc/conf", "etc/conf/file"):
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.REGTYPE if name.endswith("file") else tarfile.DIRTYPE
            entry.mode = 0o755
            archive.addfile(entry)
    dockerfile = "FROM {base}\nADD --link archive.tar.gz /\n"
    context = builder.context(
        "context", dockerfile.format(base="scratch"), **{"archive.tar.gz": data.getvalue()}
    )
    alone = exported(builder, context, "scratch")
    assert len(alone[0]) == 1
    (context / "Dockerfile").write_text(
        dockerfile.format(base="base") + "RUN test -f /etc/passwd -a -f /etc/conf/file\n"
    )
    assert exported(builder, context, "base")[0][1] == alone[0][0]


def test_an_ordinary_user_s_layers_are_root_s(builder: Builder, user_builder: Builder) -> None:
    layers = []
    for one in (builder, user_builder):
        context = one.context(
            "context", "FROM base\nRUN echo 1 >/one\nCOPY --link src /app/\n", **{"src/a": "a"}
        )
        for path in (context / "src" / "a", context / "src"):
            os.utime(path, (10**9, 10**9))
        layers.append(exported(one, context, "out")[0][2])
        (context / "Dockerfile").write_text("FROM base\nRUN echo 2 >/one\nCOPY --link src /app/\n")
        layers.append(exported(one, context, "again")[0][2])
    assert len(set(layers)) == 1


def test_killed_while_merging(builder: Builder) -> None:
    dockerfile = (
        "FROM base\n" + "".join(f"COPY --link src /app{n}/\n" for n in range(40)) + "RUN ls /app39/0\n"
    )
    context = builder.context("context", dockerfile, **{f"src/{n}": str(n) for n in range(20)})
    for wait in (0.25, 0.4, 0.55):
        process = builder.start("-t", "killed", context, log=builder.place / "log")
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert faults(builder.store) == []
    assert len(exported(builder, context, "out")[0]) == 42
    assert faults(builder.store) == []
