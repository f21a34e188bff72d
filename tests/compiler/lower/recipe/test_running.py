"""Recipes through the engine, as a user builds them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.building import Builder, Outcome, blob, manifest_of
from tests.e2e.soundness import faults, leftovers

pytestmark = [pytest.mark.root, pytest.mark.crun]

HEAD = """# syntax=pybuild:1

default web

let base = host(["sh", "ls", "cat", "id", "touch", "stat", "test", "mkdir", "chmod"])

target web:
    from base
    write "app:x:1000:1001::/:/bin/sh\\n" to "/etc/passwd"
"""


def build(
    builder: Builder, text: str, *words: str | Path, code: int = 0, file: tuple[str, str] | None = None
) -> Outcome:
    """Builds HEAD with statements at its end. `file` lies in the context."""
    body = "".join(f"    {line}\n" if line else "\n" for line in text.strip("\n").split("\n"))
    context = builder.context("project")
    if file is not None:
        path = context / file[0]
        path.parent.mkdir(exist_ok=True)
        path.write_text(file[1])
    (context / "build.pybuild").write_text(HEAD + body)
    return builder.run("build", "--progress=plain", *words, context, code=code)


def lines(outcome: Outcome) -> list[str]:
    """What steps wrote, without numbers and times."""
    found = (
        line.split(" ", 2) for line in outcome.err.splitlines() if line[:1] == "#" and line.count(" ") > 1
    )
    return [text for _, _, text in found]


def test_options_of_a_block(builder: Builder) -> None:
    text = """
workdir "/w"
env A = "1"
with [
    secret("tok", env="TOK"),
    secret("tok", rev="7"),
    secret("gone", at="/gone", optional=true),
    env(B="$A$A"),
    tmpfs("/tmp", size=1MiB),
    bind(context, at="/src", path="data"),
    bind(base, at="/rw", rw=true),
    workdir("sub"),
    limits(memory=64MiB, cpus=1, pids=20),
    network("none"),
    host("db", "10.1.2.3"),
    user("app"),
]:
    run:
        echo "tok=$TOK $(cat /run/secrets/tok 2>&1 || true) rev=$PYBUILD_SECRET_REV_TOK"
        echo "B=$B pwd=$PWD id=$(id -u):$(id -g)"
        cat /src/file
        cat /etc/hosts
with bind(base, at="/rw", rw=true):
    run touch /rw/x && ls -d /rw/x
run test ! -e /rw/x
"""
    told = lines(
        build(
            builder.in_environment(TOKEN="s3cret"),
            text,
            "--secret=id=tok,env=TOKEN",
            file=("data/file", "data\n"),
        )
    )
    assert any(line.startswith("tok=s3cret") and line.endswith("rev=7") for line in told)
    assert "B=11 pwd=/w/sub id=1000:1001" in told
    assert "data" in told
    assert "/rw/x" in told
    assert any(line.split()[:2] == ["10.1.2.3", "db"] for line in told)
    assert faults(builder.store) == []
    assert leftovers(builder.store) == []


def test_a_cache_belongs_to_the_user(builder: Builder) -> None:
    text = """
user "app"
with cache("/c"), cache("/strict", mode=0o700):
    run stat -c '%n %u %g %a' /c /strict; touch /c/made
write "changed" to "/changed"
with cache("/c"):
    run ls /c
with cache("/c", id="of root"), user("0"):
    run stat -c '%n %u %g' /c
"""
    told = lines(build(builder, text))
    assert [line for line in told if line.startswith(("/c", "/strict"))] == [
        "/c 1000 1001 755",
        "/strict 1000 1001 700",
        "/c 0 0",
    ]
    assert "made" in told, "other files below make it another cache"


def test_a_cache_is_seeded(builder: Builder) -> None:
    text = """
user "app"
with cache("/c", seed=context, mode=0o750):
    run stat -c '%n %u %a' /c /c/sub/file
"""
    told = lines(build(builder, text, file=("sub/file", "x")))
    assert {"/c 1000 750", "/c/sub/file 1000 644"} <= set(told)


def test_a_script_with_an_interpreter(builder: Builder) -> None:
    text = """
run:
    #!/bin/cat
    says $itself
"""
    assert "says $itself" in lines(build(builder, text))


def test_a_missing_source_of_a_state_is_said_at_the_copy(builder: Builder) -> None:
    found = build(builder, 'copy "/bin/none*" from base to "/x/"', code=1)
    assert '"/bin/*": not found' in found.err
    assert "R0002" in found.err
    assert "build.pybuild:10:5" in found.err


def test_history_and_layers_of_what_is_laid_over_each_other(builder: Builder) -> None:
    text = """
copy "file" to "/a/", link=true
run echo b > /b
workdir "/a"
env A = "x"
let before = this
write "c" to "/c"
write "d" to "/d"
copy "/d" from diff(before, this) to "/e", mode=0o600
"""
    more = """
target both:
    from merge(base, web)
    run ls /a/file /b /c /d /e
    copy "." from dockerfile("Dockerfile") to "/df"
    run ls /df/from-dockerfile
"""
    context = builder.context("project", "FROM scratch\nCOPY file /from-dockerfile\n", file="f")
    body = "".join(f"    {line}\n" for line in text.strip().split("\n"))
    (context / "build.pybuild").write_text(HEAD.replace("default web", "default both") + body + more)
    out = builder.place / "out"
    words = ("-f", context / "build.pybuild", "-o", f"type=oci,dest={out},tar=false")
    builder.run("build", "--progress=plain", *words, context)
    import json

    manifest = manifest_of(out)
    config = json.loads(blob(out, manifest["config"]["digest"]))  # type: ignore[index]
    layers = [one["created_by"] for one in config["history"] if not one.get("empty_layer")]
    assert len(layers) == len(manifest["layers"])  # type: ignore[arg-type]
    assert layers[2:] == [
        'write to "/etc/passwd"',
        'copy "file" to "/a/", link=true',
        "run echo b > /b",
        'workdir "/a"',
        'write to "/c"',
        'write to "/d"',
        'copy "/d" from diff(…) to "/e", mode=0o600',
        "run ls /a/file /b /c /d /e",
        'copy "." from dockerfile(…) to "/df"',
        "run ls /df/from-dockerfile",
    ]
