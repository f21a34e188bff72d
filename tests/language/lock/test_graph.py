"""`pybuild graph` of the language: the document, LLB, the drawing."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.language.lock.documents import GRAPH, graph_of, schema
from tests.language.lock.outside import FROM_HOST, Outside, digest
from tests.language.project import Project

from pybuild.compiler.graph import walk
from pybuild.compiler.llb.decode import decode_definition
from pybuild.compiler.ops import ExecOp, SourceOp

EXAMPLES = Path(__file__).parents[2] / "lang" / "textual" / "check" / "examples"
EXAMPLE_FILES = (
    *("pyproject.toml", "uv.lock", "README.md", "mkdocs.yml", "requirements.txt", "package.json"),
    *("src/a", "docs/a", "configs/a", "libs/a/package.json"),
    *(f"services/{name}/package.json" for name in ("api", "worker", "billing")),
)


def llb(project: Project, *words: str) -> Any:
    """The result's edge in the definition that is printed."""
    done = subprocess.run(
        project.command("graph", "--format=llb", *project.allowed, *words),
        cwd=project.directory,
        env=project.variables(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    return decode_definition(done.stdout)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema(GRAPH))


def test_the_document(project: Project) -> None:
    project.write(
        """
use "./lib/part.pybuild" as part

# Where it goes.
param version: str = "dev"

# Builds it. And more.
target app for p in ["linux/amd64", "linux/arm64"]:
    from "alpine:3.20" on p
    part.step()
    with cache("/c"), secret("s", env="S"), tmpfs("/t"), limits(memory=64MiB, pids=10):
        run make
    write read("text") to "/text"
    env A = "$PATH"
    label "v" = version
    annotation "n" = "1"
    tag "app:${{version}}-${{p.replace("/", "-")}}"
    needs check
    output "/text" to "out-${{p}}/", always=true

test check:
    from scratch
    write vcs.branch to "/b"
""",
        {
            "text": "hello\n",
            "lib/part.pybuild": '# syntax=pybuild:1\n\ndef step():\n    copy "x" to "/x"\n',
            "lib/x": "x",
        },
    )
    project.git("init", "-q", "-b", "trunk")
    found = graph_of(project.run("graph", "app", "-p", "version=1").out)
    assert found["schema"] == "pybuild.graph/1"
    assert found["linked"] is False
    assert found["inputs"]["params"] == {"version": {"value": "1", "from": "-p version=1"}}
    assert found["inputs"]["vcs"] == {"branch": "trunk"}
    assert found["inputs"]["reads"] == {"text": digest("hello\n")}
    assert set(found["inputs"]["modules"]) == {"build.pybuild", "lib/part.pybuild"}
    assert list(found["targets"]) == ["app", "check"]
    one, two = found["targets"]["app"]["instances"]
    assert found["targets"]["app"]["doc"] == "Builds it. And more."
    assert (one["axes"], two["axes"]) == ({"p": "linux/amd64"}, {"p": "linux/arm64"})
    assert (one["tags"], one["needs"]) == (["app:1-linux-amd64"], ["check"])
    assert one["outputs"] == [{"sources": ["/text"], "dest": "out-linux/amd64/", "always": True}]
    config = one["state"]["config"]
    assert config["env"] == ["A=$PATH"]
    assert config["labels"] == {"v": "1"}
    assert one["state"]["annotations"] == {"n": "1"}
    assert found["ops"][config["base"]] == {
        "platform": "linux/amd64",
        "source": {"identifier": "docker-image://docker.io/library/alpine:3.20"},
    }
    (gate,) = found["targets"]["check"]["instances"]
    assert (found["targets"]["check"]["kind"], gate["requested"]) == ("test", False)
    digests = [name for name, op in found["ops"].items() if "exec" in op]
    assert len(digests) == 2
    op, about = found["ops"][digests[0]], found["meta"][digests[0]]
    assert op["exec"]["meta"]["args"] == ["/bin/sh", "-e", "-c", "make"]
    assert {mount["dest"] for mount in op["exec"]["mounts"]} == {"/", "/c", "/t"}
    assert op["exec"]["secret_env"] == [{"id": "s", "name": "S"}]
    assert about["title"] == "run make"
    assert about["target"] == "app[p=linux/amd64]"
    assert (
        about["limits"] == {"memory": 64 << 20, "memory_swap": 64 << 20, "pids": 10}
        or about["limits"]["pids"] == 10
    )
    assert about["cache_scopes"] == {"/c": "project"}
    assert about["spans"][0]["file"] == "build.pybuild"
    spans = [span["file"] for one in found["meta"].values() for span in one.get("spans", ())]
    assert "lib/part.pybuild" in spans


def test_the_same_from_everywhere(project: Project) -> None:
    project.write(
        """
use "./lib/part.pybuild" as part

target app:
    from "alpine"
    part.step()
    write read("t") to "/t"
    output "/t" to "o"
""",
        {
            "t": "1",
            "lib/part.pybuild": '# syntax=pybuild:1\n\ndef step():\n    write read("u") to "/u"\n',
            "lib/u": "1",
        },
    )
    text = project.run("graph").out
    assert set(graph_of(text)["inputs"]["reads"]) == {"t", "lib/u"}
    assert project.run("graph", str(project.directory), cwd=Path("/")).out == text
    assert project.run("graph", "../build.pybuild", cwd=project.directory / "lib").out == text


@pytest.mark.parametrize("name", ["1_hello", "2_web", "3_go", "4_mono", "5_checks", "6_ml"])
def test_the_examples_of_the_specification(name: str, project: Project) -> None:
    project.put(dict.fromkeys(EXAMPLE_FILES, ""))
    shutil.copytree(EXAMPLES / "lib", project.directory / "lib")
    shutil.copy(EXAMPLES / f"{name}.pybuild", project.directory / "build.pybuild")
    found = graph_of(project.run("graph").out)
    assert found["ops"]
    assert all(one["title"] for one in found["meta"].values())


@pytest.mark.root
def test_unlinked_asks_nobody_and_linked_resolves(project: Project, outside: Outside) -> None:
    image, index = outside.image("img", file="x")
    url = outside.file("f", "1\n")
    project.write(f"""
{FROM_HOST}
target app:
    from "{image}"
    env B = "$A-c"
    copy "f" from http("{url}") to "/f"
    copy "/bin/sh" from box to "/sh"
""")
    found = graph_of(project.run("graph").out)
    assert outside.asked() == 0
    assert not (project.store / "host").exists()
    names = {op["source"]["identifier"] for op in found["ops"].values() if "source" in op}
    assert names == {f"docker-image://{image}", url, "oci-layout://host0"}
    found = graph_of(project.run("graph", "--linked").out)
    assert found["linked"] is True
    (one,) = found["targets"]["app"]["instances"]
    assert one["state"]["config"]["env"] == ["A=b", "PATH=" + one["state"]["config"]["env"][1][5:], "B=b-c"]
    assert "base" not in one["state"]["config"]
    sources = {
        op["source"]["identifier"]: op["source"].get("attrs", {})
        for op in found["ops"].values()
        if "source" in op
    }
    assert f"docker-image://{image}@{index}" in sources
    assert sources[url]["http.checksum"] == digest("1\n")
    assert not (project.directory / "pybuild.lock").exists()
    assert project.run("graph", "--linked", "--locked", code=2).err.count("error[E0802]") == 2


@pytest.mark.root
def test_llb_is_what_is_built(project: Project) -> None:
    project.write("""
target app for n in ["1", "2"]:
    from BASE
    run echo ${{n}}

target other on "linux/amd64", "linux/arm64":
    from scratch
    write "x" to "/x"

target limited:
    from BASE
    with limits(pids=9):
        run true
""")
    edge = llb(project, "app[n=2]")
    ops = [vertex.op for vertex in walk([edge])]
    (step,) = [op for op in ops if isinstance(op, ExecOp)]
    assert step.meta.args[-1] == "echo 2"
    (source,) = [op for op in ops if isinstance(op, SourceOp)]
    assert source.identifier.startswith("oci-layout://layout0@sha256:")
    linked = json.loads(project.run("graph", *project.allowed, "--linked", "app[n=2]").out)
    assert {vertex.digest for vertex in walk([edge])} == set(linked["ops"])
    said = project.run("graph", *project.allowed, "--format=llb", "app", code=2).err
    assert "llb is of one instance, and 2 are asked for: app[n=1], app[n=2]" in said
    assert (
        "2 are asked for: other (linux/amd64), other (linux/arm64)"
        in project.run("graph", *project.allowed, "--format=llb", "other", code=2).err
    )
    assert llb(project, "other", "--platform=linux/arm64") is not None
    said = project.run("graph", *project.allowed, "--format=llb", "limited", code=2).err
    assert "`limits(pids=…)` has no form in LLB" in said
    assert "build.pybuild:14:" in said or "build.pybuild:15:" in said


def test_dot(project: Project) -> None:
    project.write(
        'target a:\n    from scratch\n    write "x" to "/x"\n\ntarget b:\n    from a\n    write "y" to "/y"\n'
    )
    text = project.run("graph", "--format=dot", "a", "b").out
    assert text.startswith("digraph build {")
    assert 'result0 [shape=doublecircle, label="a"];' in text
    assert 'result1 [shape=doublecircle, label="b"];' in text
    assert text.count("[shape=note") == 2
    assert 'result [shape=doublecircle, label="b"];' in project.run("graph", "--format=dot", "b").out


def test_words(project: Project) -> None:
    project.write(
        'target a:\n    from scratch\n    write "x" to "/x"\n\ntarget b:\n    from a\n\ndefault b\n'
    )
    project.put({"sub/Dockerfile": "FROM scratch AS one\nCOPY a /a\nFROM one AS two\nCOPY b /b\n"})
    assert list(graph_of(project.run("graph").out)["targets"]) == ["b"]
    assert list(graph_of(project.run("graph", "a").out)["targets"]) == ["a"]
    assert list(graph_of(project.run("graph", "build.pybuild", "a").out)["targets"]) == ["a"]
    assert list(graph_of(project.run("graph", ".", "a", "b").out)["targets"]) == ["a", "b"]
    assert "error[E0707]" in project.run("graph", "c", code=2).err
    assert '"version": 1' in project.run("graph", "sub", "one").out
    assert "two targets" in project.run("graph", "a", "--target=b", code=2).err


def test_check_takes_targets_too(project: Project) -> None:
    project.write('target a:\n    from scratch\n\ntarget b:\n    from scratch\n    copy "no" to "/no"\n')
    project.run("check", "a")
    assert "error[E0510]" in project.run("check", "b", code=2).out
    assert "error[E0707]" in project.run("check", "c", code=2).out


def test_dockerfiles_inside_are_not_linked_either(project: Project) -> None:
    project.put({"Dockerfile": "FROM alpine:3.20\nENV A=b\nRUN make\n", "x": ""})
    project.write('target app:\n    from dockerfile("Dockerfile")\n    run test\n')
    found = graph_of(project.run("graph", "-f", "build.pybuild").out)
    names = [op["source"]["identifier"] for op in found["ops"].values() if "source" in op]
    assert names == ["docker-image://docker.io/library/alpine:3.20"]


def test_a_large_one(project: Project) -> None:
    steps = "".join(f'    write "{n}" to "/{n}"\n' for n in range(3000))
    project.write(f"target app:\n    from scratch\n{steps}")
    assert len(graph_of(project.run("graph").out)["ops"]) == 3000
