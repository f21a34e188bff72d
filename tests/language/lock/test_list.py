"""`pybuild list`, and what completion offers."""

from __future__ import annotations

from jsonschema import Draft202012Validator
from tests.language.lock.documents import LIST, list_of, schema
from tests.language.project import Project

TEXT = """
# Who it is for. And why.
param who: str
param count: int = 3
param names: list[str] = ["a", "b"]

let _hidden = 1

# The image.
target app for n in names on "linux/amd64", "linux/arm64":
    from "alpine"
    with secret("token", env="TOKEN"), ssh(), cache("/c"):
        run make ${{n}} ${{who}} ${{count}} ${{_hidden}}

target _private:
    from "alpine"

# All is well.
test unit:
    from _private
    with secret("token", at="/token", optional=true), secret("other", optional=true), ssh("deploy"):
        run true

# Everything.
group all = [app, unit]

default all
"""


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema(LIST))


def test_text(project: Project) -> None:
    project.write(TEXT)
    assert (
        project.run("list").out
        == """targets:
  app[n] on "linux/amd64", "linux/arm64"  The image.

tests:
  unit  All is well.

groups:
  all = app, unit (default)  Everything.

params:
  who: str (required)            Who it is for.
  count: int = 3
  names: list[str] = ["a", "b"]

secrets:
  token  $TOKEN, /token
  other  /run/secrets/other, optional

ssh agents:
  default
  deploy
"""
    )


def test_json(project: Project) -> None:
    project.write(TEXT)
    found = list_of(project.run("list", "--format=json").out)
    assert found["schema"] == "pybuild.list/1"
    assert found["default"] == "all"
    assert [one["name"] for one in found["targets"]] == ["app", "unit"]
    assert found["targets"][0]["axes"] == [{"name": "n", "values": "names"}]
    assert found["params"][0] == {
        "name": "who",
        "type": "str",
        "default": None,
        "summary": "Who it is for.",
        "doc": "Who it is for. And why.",
    }
    assert found["secrets"] == [
        {"id": "token", "optional": False, "places": ["$TOKEN", "/token"]},
        {"id": "other", "optional": True, "places": ["/run/secrets/other"]},
    ]


def test_nothing(project: Project) -> None:
    project.write("let x = 1\n")
    assert project.run("list").out == "nothing is declared\n"
    assert list_of(project.run("list", "--format=json").out)["targets"] == []


def test_files(project: Project) -> None:
    project.put(
        {
            "Dockerfile": "FROM scratch\n",
            "sub/build.pybuild": "# syntax=pybuild:1\n\ntarget a:\n    from scratch\n",
        }
    )
    assert "--call=targets" in project.run("list", code=2).err
    for words in (("sub",), ("sub/build.pybuild",), ("--file=sub/build.pybuild",)):
        assert project.run("list", *words).out == "targets:\n  a (default)\n"


def test_what_completion_offers(project: Project) -> None:
    project.write(TEXT)
    names = ["app", "unit", "all"]
    assert project.run("__stages", "build", "--target").out.split() == names
    project.put({"other": project.text("build.pybuild").replace("target app", "target thing")})
    assert project.run("__stages", "build", "-f", "other").out.split() == ["thing", *names[1:]]
    (project.directory / "build.pybuild").write_text("FROM a AS one\nFROM b AS two\n")
    (project.directory / "build.pybuild").rename(project.directory / "Dockerfile")
    assert project.run("__stages", "build").out.split() == ["one", "two"]
    assert project.run("__stages", "build", "-f", "nothing").out == ""
