"""What a build gives a program."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.builder.place import Place

from pybuild.builder import Builder, Record
from pybuild.lang.diagnostics import SourceErrors, UsageError, UserError
from pybuild.runtime.ops.failures import StepFailed

pytestmark = [pytest.mark.root, pytest.mark.crun]

PROGRAM = """
param name: str = "world"
param loud: bool = false

default hello

target hello:
    from BASE
    run echo "hello ${{name}} ${{loud}}" | tee /greeting
    cmd ["cat", "/greeting"]
    output "/greeting" to "out/"

target named:
    from hello
    tag "embedded:1"

target other:
    from BASE
    run echo other

target bad:
    from BASE
    run:
        echo before; echo last words >&2
        exit 7
"""


@pytest.fixture
def project(place: Place) -> Place:
    return place.write(PROGRAM)


def test_the_default_target(project: Place, builder: Builder) -> None:
    result = builder.build(outputs="type=image", params={"name": "you", "loud": True})
    assert result.digest is not None
    assert result.digest.startswith("sha256:")
    assert result.digests == (result.digest,)
    assert result.files == (str(project.project / "out" / "greeting"),)
    assert (project.project / "out" / "greeting").read_text() == "hello you true\n"
    (step,) = [step for step in result.steps if "run echo" in step.name]
    assert (step.status, step.log, step.error) == ("ran", "hello you true\n", "")
    assert step.started is not None
    assert 0 < step.seconds <= result.seconds
    assert result.started <= step.started
    assert result.logs == {step.name: step.log}
    assert result.platform().config["config"]["Cmd"] == ["cat", "/greeting"]
    (image,) = result.images
    assert image.metadata["containerimage.digest"] == result.digest


def test_what_is_known_is_not_run(project: Place, builder: Builder) -> None:
    first = builder.build("named", tags="embedded:2")
    second = builder.build("named", tags=["embedded:2"])
    assert second.digest == first.digest
    assert second.images[0].tags == ("embedded:1", "embedded:2")
    assert {step.status for step in second.steps if step.name.startswith("[hello")} == {"cached"}
    again = builder.build("named", no_cache=True)
    assert {step.status for step in again.steps if step.name.startswith("[hello 2/2]")} == {"ran"}


def test_without_a_tag_there_is_no_image(project: Place, builder: Builder) -> None:
    assert builder.build("other").digest is None


def test_several_targets(project: Place, builder: Builder) -> None:
    result = builder.build(["other", "hello"], outputs="type=image")
    assert [image.name for image in result.images] == ["other", "hello"]
    assert len(set(result.digests)) == 2
    with pytest.raises(ValueError, match="2 images"):
        _ = result.digest
    with pytest.raises(UsageError, match="more than one state") as caught:
        result.read_file("/greeting")
    assert "other linux/" in str(caught.value.diagnostic.notes)
    assert result.read_file("/greeting", target="hello") == b"hello world false\n"


def test_an_output_directory(project: Place, builder: Builder, tmp_path: Path) -> None:
    result = builder.build("other", outputs=[tmp_path / "tree", f"type=oci,dest={tmp_path}/image.tar"])
    assert (tmp_path / "tree" / "bin").is_dir()
    assert result.files == (str(tmp_path / "tree"), str(tmp_path / "image.tar"))


def test_a_failed_step(project: Place, builder: Builder) -> None:
    record = Record()
    with pytest.raises(StepFailed) as caught:
        builder.build("bad", observer=record)
    error = caught.value
    assert (error.code, error.exit_code) == (7, 1)
    assert error.output == ("before", "last words")
    assert error.vertex.name.startswith("[bad")
    assert error.diagnostic.code == "R0001"
    assert error.diagnostic.span is not None
    assert error.diagnostic.span.source.line(error.diagnostic.span.line).strip() == "run:"
    assert "last words" in "".join(error.__notes__)
    (failed,) = [step for step in record.steps if step.status == "failed"]
    assert failed.log == "before\nlast words\n"
    assert failed.digest == error.vertex.digest


def test_a_wrong_build_file(place: Place, builder: Builder) -> None:
    place.write("target a:\n    from nowhere\n    cpy x to y\n\ntarget a:\n    from scratch\n")
    with pytest.raises(SourceErrors) as caught:
        builder.build()
    assert len(caught.value.diagnostics) > 1
    assert caught.value.exit_code == 2
    assert all(one.labels[0].span.source.name.endswith("build.pybuild") for one in caught.value.diagnostics)


def test_unknown_options_are_type_errors(project: Place, builder: Builder) -> None:
    with pytest.raises(TypeError, match="no option 'platform': did you mean 'platforms'"):
        builder.build(platform="linux/amd64")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="no option 'nocache'"):
        Builder(project.project, nocache=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="named by text"):
        builder.build(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "title"),
    [
        ({"outputs": "type=tar,dest=-"}, "no standard output"),
        ({"network": "hots"}, "unknown network mode 'hots'"),
        ({"secrets": {"key": "hunter2"}}, "text says where the secret is"),
        ({"secrets": {"key": "env:NOT_SET_AT_ALL"}}, "is not set"),
        ({"params": {"name": 1.5}}, "name is no string"),
    ],
)
def test_options_that_cannot_be_meant(
    project: Place, builder: Builder, options: dict[str, object], title: str
) -> None:
    with pytest.raises(UsageError, match=title):
        builder.build("other", **options)  # type: ignore[arg-type]


def test_there_is_no_standard_input(project: Place) -> None:
    with Builder("-", root=project.store) as builder, pytest.raises(UsageError, match="standard input"):
        builder.build()


def test_a_dockerfile(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write(
        "", Dockerfile="FROM base\nARG A\nRUN --mount=type=secret,id=key echo $A $(cat /run/secrets/key)\n"
    )
    contexts = {"base": f"oci-layout://{place.base}"}
    (place.project / "key").write_bytes(b"of a file")
    monkeypatch.setenv("EMBEDDED_KEY", "of a variable")
    with place.builder(file=place.project / "Dockerfile", allow=(), build_contexts=contexts) as builder:
        printed: list[str] = []
        for secret in (b"of bytes\xff", place.project / "key", "env:EMBEDDED_KEY"):
            result = builder.build(build_args={"A": "a"}, secrets={"key": secret}, no_cache=True)
            printed += result.logs.values()
    assert printed == ["a of bytes\ufffd\n", "a of a file\n", "a of a variable\n"]


def test_configuration_counts_when_asked_for(place: Place) -> None:
    place.write(PROGRAM, **{"pybuild.toml": 'target = "named"\ntags = ["from:config"]\n'})
    with place.builder() as builder:
        assert builder.build().images[0].tags == ()
    with place.builder(config=True) as builder:
        assert builder.build().images[0].tags == ("embedded:1", "from:config")


def test_what_a_project_requests_is_refused_as_on_the_command_line(place: Place) -> None:
    place.write(PROGRAM, **{"pybuild.toml": 'network = "host"\nallow = ["network.host"]\n'})
    with place.builder(config=True) as builder:
        with pytest.raises(UsageError, match="requests what only you can grant") as caught:
            builder.build("named")
        assert "--network host" in str(dict(caught.value.diagnostic.notes))
        assert builder.build("named", network="default").images


def test_what_another_user_may_have_left_above_is_named(place: Place) -> None:
    place.write(PROGRAM)
    (place.project.parent / ".git").mkdir()
    os.chown(place.project.parent / ".git", 1234, 1234)
    record = Record()
    with place.builder() as builder, pytest.raises(UserError, match="no target"):
        builder.build("missing", observer=record)
    assert record.notices == [f"{place.project.parent}/.git doesn't count: it belongs to user 1234"]


def test_a_builder_stays_where_it_was_made(project: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.project)
    options = {"root": os.path.relpath(project.store), "allow": f"read={project.base}"}
    with Builder(**options) as builder:  # type: ignore[arg-type]
        monkeypatch.chdir("/")
        builder.build("other")
        assert builder.root == str(project.store)


def test_a_closed_builder(project: Place) -> None:
    builder = project.builder()
    result = builder.build("other")
    builder.close()
    builder.close()
    with pytest.raises(RuntimeError, match="closed"):
        builder.build("other")
    with pytest.raises(RuntimeError, match="closed"):
        result.read_file("/etc/passwd")


def test_a_command_in_a_state(project: Place, builder: Builder) -> None:
    done = builder.run("hello", "cat /greeting; echo wrong >&2; touch /new; exit 5")
    assert (done.code, done.text, done.stderr) == (5, "hello world false\n", b"wrong\n")
    assert not (project.project / "out").exists()
    result = builder.build("hello")
    again = builder.run(
        result, ["sh", "-c", "pwd; id -u; echo $A; ls /new"], env={"A": "a b"}, cwd="/etc", user="123"
    )
    assert again.stdout == b"/etc\n123\na b\n"
    assert b"/new" in again.stderr
    assert [entry.path for entry in result.walk("/") if entry.path == "/new"] == []
    with pytest.raises(UserError, match="one state"):
        builder.run(["hello", "other"], "true")


def test_the_network_of_a_command(project: Place, builder: Builder) -> None:
    interfaces = "cut -d: -f1 /proc/net/dev | tail -n +3"
    assert builder.run("other", interfaces, network="none").text.split() == ["lo"]
    with pytest.raises(UserError, match=r"network\.host is not allowed"):
        builder.run("other", "true", network="host")


MODULE = """\
# syntax=python:1
import pybuild as pb

name = pb.param("name", str, default="module")

@pb.target(default=True)
def hello(t):
    print("not for the program")
    t.from_(pb.oci("BASE"))
    t.run("echo ${{name}} > /greeting", name=name)
"""


def test_a_build_module(place: Place) -> None:
    (place.project).mkdir()
    (place.project / "build.py").write_text(MODULE.replace("BASE", str(place.base)))
    read = f"read={place.base}"
    with place.builder() as builder:
        with pytest.raises(UsageError, match="would run on this machine"):
            builder.build("hello")
        result = builder.build("hello", params={"name": "given"}, allow=["python", read])
        assert result.read_text("/greeting") == "given\n"
    with (
        place.builder(file=place.project / "build.py") as builder,
        pytest.raises(UserError, match="no target"),
    ):
        builder.build("missing")


def test_a_build_module_of_the_working_directory(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.project.mkdir()
    (place.project / "build.py").write_text(MODULE.replace("BASE", str(place.base)))
    monkeypatch.chdir(place.project)
    with place.builder() as builder, pytest.raises(UserError, match="no target"):
        builder.build("missing")
