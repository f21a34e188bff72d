"""Loading: each file once, in an order in which a module comes after those it uses."""

from __future__ import annotations

from tests.lang.textual.worlds import World

from pybuild.lang.diagnostics import UserError
from pybuild.lang.source import Source
from pybuild.lang.textual import modules, tree
from pybuild.lang.textual.load import load
from pybuild.lang.textual.parse import Parsed, parse


def test_each_file_is_parsed_once() -> None:
    world = World(
        {
            "build.pybuild": 'use "./a.pybuild" as a\nuse "./b.pybuild" as b\nuse "./a.pybuild" as again\nuse uv\n',
            "a.pybuild": 'use "./lib/c.pybuild" as c\nuse uv\n',
            "b.pybuild": 'use "./lib/c.pybuild" as c\n',
            "lib/c.pybuild": 'let x = "1"\n',
        }
    )
    read: list[str] = []

    def counting(source: Source) -> Parsed:
        read.append(source.name)
        return parse(source)

    program = load(world.root(), world, counting).program
    assert program is not None
    assert sorted(read) == ["a.pybuild", "b.pybuild", "build.pybuild", "lib/c.pybuild", "std/uv.pybuild"]
    order = list(program.modules)
    assert order == ["lib/c.pybuild", "std/uv.pybuild", "a.pybuild", "b.pybuild", "build.pybuild"]
    assert program.root is program.modules["build.pybuild"]
    assert program.root.uses == {
        "a": "a.pybuild",
        "b": "b.pybuild",
        "again": "a.pybuild",
        "uv": "std/uv.pybuild",
    }
    assert program.modules["a.pybuild"].origin == modules.PROJECT
    assert program.modules["std/uv.pybuild"].origin == modules.STANDARD


def test_relative_paths_are_of_the_file() -> None:
    world = World(
        {
            "app/build.pybuild": 'use "../lib/a.pybuild" as a\n',
            "lib/a.pybuild": 'use "./b.pybuild" as b\n',
            "lib/b.pybuild": "",
        }
    )
    program = load(world.root("app/build.pybuild"), world).program
    assert program is not None
    assert set(program.modules) == {"app/build.pybuild", "lib/a.pybuild", "lib/b.pybuild"}


def test_a_long_chain_of_modules() -> None:
    files: dict[str, str | bytes] = {
        f"m{n}.pybuild": f'use "./m{n + 1}.pybuild" as next\n' for n in range(3000)
    }
    files["m3000.pybuild"] = ""
    program = load(World(files).root("m0.pybuild"), World(files)).program
    assert program is not None
    assert len(program.modules) == 3001
    assert next(iter(program.modules)) == "m3000.pybuild"


def test_another_frontend_is_no_program() -> None:
    for header in ("docker/dockerfile:1", "pybuild:2"):
        world = World({"build.pybuild": f"# syntax={header}\nuse missing\n"})
        loaded = load(world.root(), world)
        assert loaded.program is None
        assert loaded.diagnostics[0].code in ("E0001", "E0002")
        assert world.found == []


def test_what_a_library_says_is_reported_at_the_use() -> None:
    class Offline(World):
        def find(self, use: tree.Use, importer: modules.Module) -> modules.ModuleText:
            raise UserError("the network is down")

    world = Offline({"build.pybuild": "# syntax=pybuild:1\n\nuse uv\nuse apt\n"})
    loaded = load(world.root(), world)
    assert loaded.program is not None
    assert loaded.program.root.uses == {}
    assert [(one.title, one.span.place if one.span else "") for one in loaded.diagnostics] == [
        ("the network is down", "build.pybuild:3:5"),
        ("the network is down", "build.pybuild:4:5"),
    ]


def test_what_a_lock_says_is_reported_at_the_use() -> None:
    class Locked(World):
        def find(self, use: tree.Use, importer: modules.Module) -> modules.ModuleText:
            raise modules.NotFound("E0802", "not locked", label="no entry", help="run `pybuild lock`")

    world = Locked({"build.pybuild": "# syntax=pybuild:1\n\nuse uv\n"})
    (one,) = load(world.root(), world).diagnostics
    assert (one.code, one.title, one.labels[0].text) == ("E0802", "not locked", "no entry")
    assert one.notes == (("help", "run `pybuild lock`"),)
