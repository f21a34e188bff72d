"""A `.pybuild` file and a Python build module that say the same, in memory, and what each comes to.

made = recipe_of_python('t.run("make")', Asked())
shape(made)              # the recipe without the places in the text: equal for equal recipes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from tests.lang.textual.expand.programs import Asked, Outside
from tests.lang.textual.worlds import PROJECT, World

from pybuild.lang import recipe
from pybuild.lang.diagnostics import render
from pybuild.lang.python.expansion import Expansion
from pybuild.lang.python.module import run
from pybuild.lang.source import Span
from pybuild.lang.textual.check.check import checked
from pybuild.lang.textual.expand.expand import expand
from pybuild.lang.textual.load import load
from pybuild.lang.textual.parse import parse

TEXT = "build.pybuild"
MODULE = "build.py"
NOTHING = Asked()


def recipe_of_text(world: World, asked: Asked = NOTHING, name: str = TEXT) -> recipe.Recipe:
    """That of a file of the language."""
    loaded = load(world.root(name), world)
    assert loaded.program is not None, [render(one) for one in loaded.diagnostics]
    _no_errors([*loaded.diagnostics, *checked(loaded.program).diagnostics])
    return expand(loaded.program, asked.options, Outside())


def recipe_of_python(world: World, asked: Asked = NOTHING, name: str = MODULE) -> recipe.Recipe:
    """That of a Python module. Raises SourceErrors."""
    root = world.root(name)
    expansion = Expansion(run(root, f"{PROJECT}/{name}", world, asked.options, Outside(), parse))
    program, found = expansion.findings()
    _no_errors(found)
    assert program is not None
    return expand(program, asked.options, Outside())


def _no_errors(said: list[Any]) -> None:
    wrong = [render(one) for one in said if one.level == "error"]
    assert not wrong, "\n".join(wrong)


def shape(made: recipe.Recipe) -> dict[str, Any]:
    """All that a recipe says, with bodies and their states as numbers in the order in which they are met, and
    without spans and digests of the module's own text. Params are those that a text reads, which a Python module
    does of all."""
    numbered = _Numbered()
    return {
        "requested": [numbered.goal(goal) for goal in made.requested],
        "needed": [numbered.goal(goal) for goal in made.needed],
        "bodies": numbered.rest(),
        "params": {name: (given.value, given.origin) for name, given in made.params.items()},
        "reads": dict(made.reads),
        "vcs": dict(made.vcs),
        "modules": sorted(key for key in made.modules if key not in (TEXT, MODULE) and key[0].isalpha()),
        "skipped": made.skipped,
    }


class _Numbered:
    def __init__(self) -> None:
        self._known: dict[object, int] = {}
        self._waiting: list[recipe.Body] = []

    def goal(self, goal: recipe.Goal) -> Any:
        return [goal.title, goal.kind, goal.axes, goal.doc, [self._instance(one) for one in goal.instances]]

    def _instance(self, one: recipe.Instance) -> Any:
        tags, outputs = [tag.name for tag in one.tags], [self.value(output) for output in one.outputs]
        return [one.platform, self._body(one.body), [goal.title for goal in one.needs], tags, outputs]

    def _body(self, body: recipe.Body) -> int:
        if body not in self._known:
            self._known[body] = len(self._known)
            self._waiting.append(body)
        return self._known[body]

    def rest(self) -> list[Any]:
        """The bodies that were met, and those that are met in them."""
        out = []
        while self._waiting:
            body = self._waiting.pop(0)
            title = body.title.replace("(…)", "()")
            out.append([title, body.platform, self.value(body.state)])
        return out

    def value(self, value: object) -> Any:
        if isinstance(value, recipe.Body):
            return f"body {self._body(value)}"
        if isinstance(value, recipe.Step | recipe.Start):
            if value in self._known:
                return f"state {self._known[value]}"
            self._known[value] = len(self._known)
        if attrs.has(type(value)):
            fields = attrs.fields(type(value))  # type: ignore[arg-type]
            named = {one.name: getattr(value, one.name) for one in fields if one.name != "span"}
            return [type(value).__name__, {name: self.value(one) for name, one in named.items()}]
        if isinstance(value, tuple | list):
            return [self.value(one) for one in value]
        if isinstance(value, Mapping):
            return [[key, self.value(one)] for key, one in value.items()]
        assert isinstance(value, str | int | bytes | None), value
        assert not isinstance(value, Span)
        return [type(value).__name__, value] if isinstance(value, bool) else value
