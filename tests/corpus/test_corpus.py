"""Files in the shapes and sizes of well-known projects' Dockerfiles: they parse, are checked and become graphs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.corpus.record import GOLDEN, line
from tests.corpus.registry import Registry
from tests.corpus.sample import MACHINE, PLATFORMS, Sample, names

from pybuild.compiler.llb.decode import decode_definition
from pybuild.compiler.llb.encode import encode_definition
from pybuild.compiler.lower.dockerfile import LowerOptions, lower
from pybuild.lang.diagnostics import UserError
from pybuild.lang.dockerfile.parse import decode, parse

NAMES = names()

CONSTRUCTS = {
    "syntax directive": r"\A# ?syntax ?=",
    "check directive": r"(?m)^# check=",
    "escape directive": r"(?m)\A# escape=`",
    "lines that end in carriage returns": r"\r\n",
    "no line end at the end of the file": r"[^\n]\Z",
    "comment inside a continuation": r"\\\n#",
    "indented comment inside a continuation": r"\\\n[ \t]+#",
    "empty continuation line": r"\\\n\t\\\n",
    "cache mount": r"--mount=\S*type=cache",
    "bind mount of a stage": r"--mount=\S*from=",
    "mount without a target": r"--mount=from=binaries \\",
    "secret": r"--mount=type=secret",
    "secret as a variable": r"type=secret,id=\w+,env=",
    "agent socket": r"--mount=type=ssh",
    "named context": r"(?m)^# Build with:.*--build-context",
    "tmpfs": r"--mount=type=tmpfs",
    "network of a step": r"RUN --network=none",
    "heredoc as a script": r"(?m)^RUN <<",
    "heredoc for another interpreter": r"(?m)^RUN <<\w+ bash",
    "heredoc behind mounts": r"--mount[^\n]* <<\w+",
    "heredoc as a file": r"(?m)^COPY .*<<",
    "quoted heredoc": r"<<[\"']",
    "linked copy": r"COPY .*--link",
    "copy that keeps parents": r"COPY .*--parents",
    "copy with exceptions": r"COPY .*--exclude",
    "mode of a copy": r"COPY .*--chmod",
    "owner of a copy": r"COPY .*--chown",
    "copy of a numbered stage": r"--from=0",
    "copy of an image": r"COPY .*--from=\S+:\S+",
    "pinned image": r"FROM .*@sha256:",
    "platform of the builder": r"--platform=\$\{?BUILDPLATFORM",
    "fixed platform": r"--platform=linux/",
    "base named by an argument": r"(?m)^FROM \S*\$",
    "added URL with a checksum": r"ADD --checksum",
    "added URL": r"(?m)^ADD .*https://",
    "added repository": r"(?m)^ADD .*\.git#",
    "added archive": r"(?m)^ADD \S+\.tar",
    "default in an expansion": r"\$\{\w+:-",
    "alternative in an expansion": r"\$\{\w+:\+",
    "prefix in an expansion": r"\$\{\w+#",
    "suffix in an expansion": r"\$\{\w+%",
    "replacement in an expansion": r"\$\{\w+//?[^/}]+/",
    "trigger": r"(?m)^ONBUILD",
    "shell": r"(?m)^SHELL \[",
    "health check": r"(?m)^HEALTHCHECK",
    "stop signal": r"(?m)^STOPSIGNAL",
    "old form of ENV": r"(?m)^ENV \w+ \S",
    "several arguments": r"(?m)^ARG \w+ \w+",
    "empty image": r"(?m)^FROM scratch",
    "label over lines": r"(?m)^LABEL .*\\\r?\n",
    "command over lines": r"(?m)^CMD\s+\[.*\\\n",
    "entrypoint in shell form": r"(?m)^ENTRYPOINT exec",
    "old spelling of AS": r"(?m)^FROM \S+ as ",
}
"""What the corpus must have somewhere."""


def test_the_corpus_is_large_and_spread() -> None:
    samples = [Sample(name) for name in NAMES]
    lines = [sample.text.count("\n") for sample in samples]
    stages = [len(sample.dockerfile.stages) for sample in samples]
    assert len(samples) >= 150
    assert sum(count >= 250 for count in lines) >= 5
    assert sum(count < 30 for count in lines) >= 20
    assert sum(count >= 30 for count in stages) >= 3
    assert len({sample.origin[:2] for sample in samples}) >= 140


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_the_corpus_has(construct: str) -> None:
    assert any(re.search(CONSTRUCTS[construct], Sample(name).text) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_where_its_shape_is_from(name: str) -> None:
    sample = Sample(name)
    owner, repository, _ = sample.origin
    assert name == f"{owner}__{repository}" or name.startswith(f"{owner}__{repository}__")
    head = [text for text in sample.text.splitlines()[:4] if text.startswith("# Shape of: ")]
    assert len(head) == 1


@pytest.fixture(scope="module")
def golden() -> dict[str, str]:
    with open(GOLDEN, encoding="utf-8") as file:
        lines = file.read().splitlines()[1:]
    return {text.partition("\t")[0]: text for text in lines}


@pytest.mark.parametrize("name", NAMES)
def test_what_checks_find(name: str, golden: dict[str, str]) -> None:
    assert line(Sample(name)) == golden[name], "see record.py"


def test_the_record_has_no_other_files(golden: dict[str, str]) -> None:
    assert sorted(golden) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_stage_becomes_a_graph_that_survives_its_encoding(name: str) -> None:
    sample = Sample(name)
    for platform in PLATFORMS:
        for target in sample.targets:
            edge = sample.lowered(target, platform).edge
            encoded = encode_definition(edge)
            if edge is not None:
                assert encode_definition(decode_definition(encoded)) == encoded


def test_triggers_of_a_base_are_steps_of_the_file() -> None:
    history = Sample("carlossg__docker-maven__child").lowered(None, MACHINE).image.history
    assert [entry.created_by for entry in history][2:6] == [
        "WORKDIR /app",
        "COPY . . # buildkit",
        "RUN /bin/sh -c make # buildkit",
        "LABEL triggered=yes",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_file_is_always_the_same_graph(name: str) -> None:
    for platform in PLATFORMS:
        first, second = (Sample(name).lowered(None, platform) for _ in range(2))
        assert encode_definition(first.edge) == encode_definition(second.edge)
        assert first.image.to_json() == second.image.to_json()


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_a_damaged_file_is_built_or_refused(name: str, data: st.DataObject) -> None:
    """Lines that are lost, swapped or cut never end in anything but a graph or an error for the user."""
    sample = Sample(name)
    lines = sample.data.splitlines(keepends=True)
    place = data.draw(st.integers(0, len(lines) - 1), label="line")
    damage = data.draw(st.sampled_from(["lost", "swapped", "cut", "end", "twice"]), label="damage")
    if damage == "lost":
        del lines[place]
    elif damage == "swapped":
        other = data.draw(st.integers(0, len(lines) - 1), label="with line")
        lines[place], lines[other] = lines[other], lines[place]
    elif damage == "cut":
        lines[place] = lines[place][: data.draw(st.integers(0, len(lines[place])), label="after")]
    elif damage == "end":
        del lines[place + 1 :]
    else:
        lines.insert(place, lines[place])
    error = _refusal(sample, b"".join(lines))
    assert error is None or str(error)


def _refusal(sample: Sample, data: bytes) -> UserError | None:
    options = LowerOptions(build_platforms=(MACHINE,), build_args=sample.build_args)
    try:
        lower(parse(decode(sample.name, data)), options, Registry())
    except UserError as error:
        return error
    return None
