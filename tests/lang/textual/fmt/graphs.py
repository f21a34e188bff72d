"""From a program's text to what is built of it: the digests of all instances, their images, tags and needs."""

from __future__ import annotations

from tests.compiler.lower.dockerfile.world import AMD64, image_config
from tests.compiler.lower.dockerfile.world import World as Bridge
from tests.lang.textual.worlds import World

from pybuild.compiler.lower.recipe import LowerOptions, lower
from pybuild.lang import recipe
from pybuild.lang.diagnostics import render
from pybuild.lang.textual import modules
from pybuild.lang.textual.check.check import checked
from pybuild.lang.textual.expand.expand import expand
from pybuild.lang.textual.expand.options import EVERYTHING, ExpandOptions
from pybuild.lang.textual.load import load

_IMAGES = {
    f"docker.io/library/{name}": image_config() for name in ("alpine:3.20", "debian:latest", "busybox:latest")
}


class _Outside:
    def vcs(self, name: str) -> str | bool | int:
        return {"dirty": False, "epoch": 1}.get(name, "v1")

    def may_read(self, path: str) -> bool:
        return False


def program(text: str) -> modules.Program:
    world = World({"build.pybuild": text})
    loaded = load(world.root(), world)
    assert loaded.program is not None
    said = [*loaded.diagnostics, *checked(loaded.program).diagnostics]
    wrong = [render(one) for one in said if one.level == "error"]
    assert not wrong, "\n".join(wrong)
    return loaded.program


def graph(text: str) -> list[object]:
    options = ExpandOptions("/project", "/project", "linux/amd64", EVERYTHING)
    return graph_of(expand(program(text), options, _Outside()))


def graph_of(made: recipe.Recipe) -> list[object]:
    found = lower(made, LowerOptions(AMD64), Bridge(_IMAGES))
    out: list[object] = []
    for goal in (*made.requested, *made.needed):
        for instance in goal.instances:
            one = found.instances[instance]
            out.append((goal.title, instance.platform, one.edge and one.edge.vertex.digest, one.image))
    return out
