"""Files that frontends of packages build, from the command line to the image."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.building import Builder, blob, steps_run
from tests.language.project import Image, read_images
from tests.plugins.site import Site, recipe

from pybuild.runtime.verify.archives import verify_layout

pytestmark = [pytest.mark.root, pytest.mark.crun]


def image(builder: Builder, *words: str | Path) -> Image:
    (found,) = images(builder, *words)
    return found


def images(builder: Builder, *words: str | Path) -> list[Image]:
    layout = builder.place / f"layout{len(list(builder.place.iterdir()))}"
    builder.build("-o", f"type=oci,dest={layout},tar=false", *words)
    assert verify_layout(str(layout)) == []
    return read_images(layout)


def test_an_image_with_files_steps_and_config(site: Site, builder: Builder) -> None:
    site.frontend("""
        base = inputs.base("base", inputs.platforms[0], bridge)
        files = copy(inputs.context.state("src"), "src", "/app/", create_dest_path=True)
        state = base.state.env("WHO", inputs.build_args["WHO"]).file(files)
        state = state.run(shell="cat /app/src/word > /said; echo $WHO >> /said; ls /app/src >> /said")
        return Built(base.built(state, base.image.with_config(cmd=("cat", "/said"), labels={"of": "it"})))
    """)
    context = builder.context("a", "# syntax=acme:1\n", **{"src/word": "hello\n", "src/left.out": ""})
    (context / ".dockerignore").write_text("*/*.out\n")
    found = image(builder, "--build-arg", "WHO=me", "--label=more=1", context)
    assert found.text("/said") == "hello\nme\nword\n"
    assert found.config["Cmd"] == ["cat", "/said"]
    assert found.config["Labels"] == {"of": "it", "more": "1"}
    assert "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" in found.config["Env"]
    assert len(found.json["rootfs"]["diff_ids"]) == len(found.layers) == 3


def test_what_a_frontend_is_told(site: Site, builder: Builder) -> None:
    site.frontend("""
        import json
        told = {
            "name": inputs.source.name.rpartition("/")[2],
            "text": inputs.source.text,
            "version": inputs.version,
            "target": inputs.target,
            "platforms": [one.architecture for one in inputs.platforms],
            "args": dict(inputs.build_args),
            "epoch": inputs.epoch,
            "contexts": sorted(inputs.contexts),
            "mode": inputs.resolve_mode,
        }
        state = State.scratch().file(mkfile("/told", json.dumps(told).encode()))
        return Built(Base.scratch(inputs.platforms[0]).built(state))
    """)
    text = recipe("acme:2.5-beta", value=1)
    context = builder.context("a", **{"any.json": text})
    flags = [
        "--build-arg=A=1",
        "--build-arg=http_proxy=http://p",
        "--build-arg=SOURCE_DATE_EPOCH=17",
        "--target=t",
    ]
    found = image(builder, "-f", context / "any.json", *flags, "--platform=linux/arm64", context)
    assert json.loads(found.text("/told")) == {
        "name": "any.json",
        "text": text,
        "version": "2.5-beta",
        "target": "t",
        "platforms": ["arm64"],
        "args": {"A": "1"},
        "epoch": 17,
        "contexts": ["base"],
        "mode": "default",
    }
    assert found.json["architecture"] == "arm64"
    assert found.json["created"] == "1970-01-01T00:00:17Z"


def test_questions_are_answered_from_the_context_and_from_what_steps_made(
    site: Site, builder: Builder
) -> None:
    site.frontend("""
        base = inputs.base("base", inputs.platforms[0], bridge)
        found = [inputs.context.read_file("/list", bridge).decode()]
        found += [one.path for one in inputs.context.read_dir("sub", bridge)]
        try:
            inputs.context.read_file("ignored", bridge)
        except FileNotFoundError:
            found.append("no such file")
        made = base.state.run(shell="echo $((6 * 7)) > /answer")
        found.append(bridge.read_file(made.edge, "/answer").decode())
        found.append(oct(bridge.stat(made.edge, "/bin").mode))
        bridge.warn(Diagnostic("it is only a test", level="warning"))
        more = inputs.named("more", inputs.platforms[0], bridge, "word")
        assert inputs.named("nothing", inputs.platforms[0], bridge) is None
        text = "|".join(found).replace("\\n", "")
        state = State.scratch().file(mkfile("/found", text.encode()).copy(more.state, "word", "/word"))
        return Built(Base.scratch(inputs.platforms[0]).built(state))
    """)
    files = {"list": "of things\n", "sub/b": "", "sub/a": "", "ignored": "", ".dockerignore": "ignored"}
    context = builder.context("a", "# syntax=acme:1\n", **files)
    more = builder.context("b", word="more\n")
    outcome = builder.build(f"--build-context=more={more}", "-o", builder.place / "out", context)
    assert (builder.place / "out" / "found").read_text() == "of things|a|b|no such file|42|0o40755"
    assert (builder.place / "out" / "word").read_text() == "more\n"
    assert "it is only a test" in outcome.err


def test_several_platforms_make_an_index(site: Site, builder: Builder) -> None:
    site.frontend("""
        made = []
        for platform in inputs.platforms:
            state = State.scratch().file(mkfile("/name", platform.architecture.encode()))
            made.append(Base.scratch(platform).built(state))
        return Built(made[:1] if inputs.build_args.get("LESS") else made)
    """)
    context = builder.context("a", "# syntax=acme\n")
    found = images(builder, "--platform=linux/amd64,linux/arm64", context)
    assert {one.json["architecture"]: one.text("/name") for one in found} == {
        "amd64": "amd64",
        "arm64": "arm64",
    }
    less = builder.build("--build-arg=LESS=1", "--platform=linux/amd64,linux/arm64", context, code=1)
    assert (
        "error: the frontend acme made linux/amd64, and linux/amd64 and linux/arm64 was asked for" in less.err
    )


def test_flags_for_all_steps_reach_those_of_frontends(site: Site, builder: Builder) -> None:
    site.frontend("""
        base = inputs.base("base", inputs.platforms[0], bridge)
        script = "grep -w friend /etc/hosts; ulimit -n; df -k /dev/shm | tail -n 1; ls /sys/class/net"
        options = Options(name="[acme] look")
        return Built(base.built(base.state.run(shell=f"({script}; echo $http_proxy) > /seen", options=options)))
    """)
    context = builder.context("a", "# syntax=acme\n")
    flags = ["--add-host=friend:10.1.2.3", "--ulimit=nofile=321:321", "--shm-size=8m", "--network=none"]
    flags += ["--build-arg=http_proxy=http://proxy.example:1"]
    host, limit, memory, interfaces, proxy = image(builder, *flags, context).text("/seen").splitlines()
    assert host.split() == ["10.1.2.3", "friend"]
    assert limit == "321"
    assert memory.split()[1] == "8192"
    assert (interfaces, proxy) == ("lo", "http://proxy.example:1")
    assert looks(builder, context)  # a step of other settings is another one
    assert not looks(builder, context)
    assert looks(builder, "--no-cache", context)


def looks(builder: Builder, *words: str | Path) -> bool:
    """Whether a build runs the step `[look]`."""
    return any("look" in name for name in steps_run(builder.build(*words)))


def test_the_graph_is_that_of_the_build(site: Site, builder: Builder) -> None:
    site.frontend("""
        state = State.scratch().file(mkdir("/a").mkfile("/a/b", inputs.version.encode()))
        return Built(Base.scratch(inputs.platforms[0]).built(state))
    """)
    context = builder.context("a", "# syntax=acme:7\n")
    found: Any = json.loads(builder.run("graph", context / "Dockerfile").out)
    (vertex,) = found["vertices"]
    assert [action["action"]["path"] for action in vertex["op"]["actions"]] == ["/a", "/a/b"]


def test_a_file_in_an_archive_is_built_by_what_it_asks_for(site: Site, builder: Builder) -> None:
    site.frontend("""
        state = State.scratch().file(copy(inputs.context.state("word"), "word", "/"))
        text = inputs.context.read_file("word", bridge)
        return Built(Base.scratch(inputs.platforms[0]).built(state.file(mkfile("/twice", text * 2))))
    """)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in (("Dockerfile", b"# syntax=acme:1\n"), ("word", b"ab")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    builder.build("-o", builder.place / "out", "-", stdin=out.getvalue())
    assert (builder.place / "out" / "twice").read_text() == "abab"


def test_errors_end_the_build_without_a_traceback(site: Site, builder: Builder) -> None:
    site.frontend("return inputs.context.read_file('nothing', bridge)")
    context = builder.context("a", "# syntax=acme:1\n")
    err = builder.build(context, code=1).err
    assert "error: the frontend acme of the package acme-build 1.0 failed: FileNotFoundError: nothing" in err
    assert "inputs.context.read_file('nothing', bridge)" in err
    for words, message in (
        (["-p", "a=b"], "-p is for files of the language, not for the frontend acme"),
        (["--no-cache-filter=x"], "--no-cache-filter is for Dockerfiles, not for the frontend acme"),
    ):
        assert message in builder.build(*words, context, code=2).err


@pytest.mark.parametrize(
    "words",
    [["check", "Dockerfile"], ["fmt", "Dockerfile"], ["list"], ["build", "--call=outline", "."]],
    ids=" ".join,
)
def test_commands_for_other_files_say_whose_it_is(site: Site, builder: Builder, words: list[str]) -> None:
    site.frontend("")
    builder.place.joinpath("Dockerfile").write_text("# syntax=acme:1\n")
    err = builder.run(*words, code=2).err
    assert (
        "is built by the frontend acme of the package acme-build 1.0, and this command is for Dockerfiles"
        in err
    )


def test_blobs_are_those_of_the_manifest(site: Site, builder: Builder) -> None:
    """The result of an empty file system: an image without layers."""
    site.frontend("return Built(Base.scratch(inputs.platforms[0]).built(State.scratch()))")
    layout = builder.place / "layout"
    builder.build("-o", f"type=oci,dest={layout},tar=false", builder.context("a", "# syntax=acme\n"))
    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
    assert json.loads(blob(layout, entry["digest"]))["layers"] == []
