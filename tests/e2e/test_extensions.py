"""The extensions of `# syntax=pybuild/dockerfile:1`, built; and refused where a file did not ask for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.e2e.building import Builder, blob, manifest_of, steps_run

pytestmark = [pytest.mark.root, pytest.mark.crun]

SYNTAX = "# syntax=pybuild/dockerfile:1\n"


def config_of(builder: Builder, context: Path, *flags: str) -> dict[str, object]:
    layout = builder.place / "layout"
    builder.build(*flags, "-o", f"type=oci,tar=false,dest={layout}", context)
    config: dict[str, object] = json.loads(blob(layout, manifest_of(layout)["config"]["digest"]))["config"]  # type: ignore[index]
    return config


def test_includes(builder: Builder) -> None:
    files = {
        "parts/tools.dockerfile": "# escape=`\nFROM base AS tools\nRUN echo `\n  tools >/tools\nINCLUDE parts/more\n",
        "parts/more": "COPY file /more\n",
        "file": "content\n",
        ".dockerignore": "parts\n",
    }
    text = (
        SYNTAX
        + "ARG FROM=tools\nINCLUDE parts/tools.dockerfile\nFROM base\nCOPY --from=$FROM /tools /more /\n"
    )
    context = builder.context("context", text + "RUN cat /tools /more\n", **files)
    first = builder.build(context)
    assert "[internal] load parts/tools.dockerfile" in first.err
    assert "tools\n" in first.err
    assert steps_run(builder.build(context)) == []
    (context / "parts/more").write_text("COPY file /more\nRUN echo again >>/more\n")
    assert "again" in builder.build(context).err
    (context / "parts/more").write_text("COPY file /more\nRUN false\n")
    failed = builder.build(context, code=1)
    assert "parts/more:2:1" in failed.err


@pytest.mark.parametrize(
    ("text", "title", "place"),
    [
        ("INCLUDE Dockerfile\n", "Dockerfile includes itself", "Dockerfile:2:"),
        ("INCLUDE gone\n", "gone is not in the build context", "Dockerfile:2:9"),
        ("INCLUDE ../secret\n", "secret is not in the build context", "Dockerfile:2:9"),
        ("INCLUDE link\n", "link is not in the build context", "Dockerfile:2:9"),
        ("INCLUDE $A\n", "variable expansion is not supported for INCLUDE", "Dockerfile:2:9"),
        ("INCLUDE bad\n", "unknown instruction COPPY", "bad:2:1"),
        ("FROM base\nENV --file=gone\n", "gone is not in the build context", "Dockerfile:3:1"),
        ("FROM base\nENV --file=bad\n", "bad:1 sets no variable", "bad:1:1"),
        ("FROM base\nUNSET VOLUME /gone\n", "VOLUME /gone is not declared", "Dockerfile:3:1"),
        ("FROM base\nUNSET USER\n", "UNSET takes VOLUME, EXPOSE or LABEL", "Dockerfile:3:7"),
        ("FROM base\nCOPY --from=$GONE / /\n", "--from=$GONE is empty", "Dockerfile:3:1"),
        ("FROM base\nONBUILD INCLUDE x\n", "", ""),
    ],
)
def test_what_is_wrong(builder: Builder, text: str, title: str, place: str) -> None:
    context = builder.context("context", SYNTAX + text, bad="FROM base\nCOPPY a b\n")
    (builder.place / "secret").write_text("FROM base\n")
    (context / "link").symlink_to("../secret")
    done = builder.build(context, code=2 if title else None)
    assert title in done.err
    assert place in done.err


def test_declarations_taken_back(builder: Builder) -> None:
    made = "FROM base AS made\nVOLUME /data /logs\nEXPOSE 80 53/udp\nLABEL a=1 b=2\nFROM made\n"
    context = builder.context(
        "context", SYNTAX + made + "ARG D=data\nUNSET VOLUME /$D\nUNSET EXPOSE 80\nUNSET LABEL a\n"
    )
    config = config_of(builder, context)
    assert config["Volumes"] == {"/logs": {}}
    assert config["ExposedPorts"] == {"53/udp": {}}
    assert config["Labels"] == {"b": "2"}
    (context / "Dockerfile").write_text(SYNTAX + made + "UNSET VOLUME\nUNSET EXPOSE\nUNSET LABEL\n")
    config = config_of(builder, context)
    assert not {"Volumes", "ExposedPorts", "Labels"} & config.keys()


def test_variables_of_a_file(builder: Builder) -> None:
    text = SYNTAX + "FROM base\nARG WHICH=app\nENV --file=$WHICH.env\nRUN echo $A-$B\n"
    context = builder.context("context", text, **{"app.env": '# settings\r\nA=one two\nB="q"\n\n EMPTY=\n'})
    assert config_of(builder, context)["Env"][1:] == ["A=one two", 'B="q"', "EMPTY="]  # type: ignore[index]
    assert steps_run(builder.build(context)) == []
    (context / "app.env").write_text("A=1\nB=2\n")
    assert "1-2" in builder.build(context).err
    (context / ".dockerignore").write_text("*.env\n")
    assert "is it left out by .dockerignore?" in builder.build(context, code=2).err


@pytest.mark.parametrize("flags", ["", "--link ", "--parents ", "--from=made "])
def test_optional_sources(builder: Builder, flags: str) -> None:
    text = "FROM base AS made\nCOPY a dir /made/\nWORKDIR /made\n" if "made" in flags else ""
    where = "/made/" if text else ""
    sources = " ".join(where + name for name in ("a", "gone", "dir/none.txt", "no/such/file", "[x]", "."))
    text += f"FROM base\nCOPY --optional {flags}{sources} /out/\nRUN find /out -type f | sort\n"
    context = builder.context("context", SYNTAX + text, a="a", **{"dir/b": "b"})
    done = builder.build(context)
    assert "/out/" in done.err
    (context / "Dockerfile").write_text(SYNTAX + text.replace("--optional ", ""))
    assert "not found" in builder.build(context, code=1).err


def test_only_missing_sources(builder: Builder) -> None:
    context = builder.context(
        "context", SYNTAX + "FROM base\nCOPY --optional x* y /out/\nRUN ls -A /out || echo none\n"
    )
    assert builder.build(context).code == 0


@pytest.mark.parametrize(
    ("line", "what", "column"),
    [
        ("INCLUDE x", "INCLUDE", 1),
        ("UNSET VOLUME", "UNSET", 1),
        ("ENV --file=x", "ENV --file", 5),
        ("COPY --optional a /", "COPY --optional", 6),
    ],
)
def test_not_without_the_opt_in(builder: Builder, line: str, what: str, column: int) -> None:
    context = builder.context("context", f"FROM base\n{line}\n", a="a")
    done = builder.build(context, code=2)
    assert f"{what} is no part of the standard Dockerfile syntax" in done.err
    assert "# syntax=pybuild/dockerfile:1" in done.err
    assert f"Dockerfile:2:{column}" in done.err


def test_a_variable_in_from_not_without_the_opt_in(builder: Builder) -> None:
    context = builder.context("context", "ARG B=base\nFROM base\nCOPY --from=$B /etc /\n")
    done = builder.build(context, code=2)
    assert "variable expansion is not supported for --from" in done.err
    assert "# syntax=pybuild/dockerfile:1" in done.err


def test_the_opt_in_by_argument(builder: Builder) -> None:
    context = builder.context("context", "FROM base\nCOPY --optional gone /\n")
    assert builder.build("--build-arg=BUILDKIT_SYNTAX=pybuild/dockerfile:1", context).code == 0


def test_checks_and_calls_read_included_files(builder: Builder) -> None:
    context = builder.context(
        "context", SYNTAX + "INCLUDE part\nFROM made AS last\nUNSET LABEL\n", part="from base as made\n"
    )
    done = builder.run("check", context, code=1)
    assert "ConsistentInstructionCasing" in done.out
    assert "part:1:1" in done.out
    targets = builder.build("--call=targets", context)
    assert "made" in targets.out
    assert "last (default)" in targets.out


def test_optional_sources_behind_links(builder: Builder) -> None:
    text = "FROM base\nCOPY --optional link/b link/gone /out/\n"
    text += "COPY --optional --from=base /var/link/one /var/gone/x /out/\n"
    context = builder.context("context", SYNTAX + text + "RUN ls /out\n", **{"dir/b": "b"})
    (context / "link").symlink_to("dir")
    done = builder.build(context)
    assert " b\n" in done.err
    assert " one\n" in done.err


def test_an_optional_source_appears_and_goes(builder: Builder) -> None:
    text = "FROM base\nCOPY --optional a sub/b c* /out/\nRUN ls -A /out | wc -l\n"
    context = builder.context("context", SYNTAX + text, c1="")
    assert " 1\n" in builder.build(context).err
    (context / "a").write_text("a")
    assert " 2\n" in builder.build(context).err
    (context / "sub").mkdir()
    (context / "sub/b").write_text("b")
    assert " 3\n" in builder.build(context).err
    (context / "c1").unlink()
    assert steps_run(builder.build(context))
    (context / "c1").touch()
    assert steps_run(builder.build(context)) == []
