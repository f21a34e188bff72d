"""A frontend for pybuild: an image described by a JSON file.

{
  "syntax": "recipe:1",
  "from": "debian:bookworm-slim",
  "files": {"/app/": ["src", "VERSION"]},
  "run": ["chmod +x /app/src/start"],
  "env": {"MODE": "production"},
  "command": ["/app/src/start"]
}
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

from pybuild.compiler.bridge import Bridge
from pybuild.compiler.frontend import Base, Built, BuiltImage, FrontendInputs
from pybuild.compiler.image import Image
from pybuild.compiler.ops import Platform
from pybuild.compiler.options import Options
from pybuild.compiler.state import State, copy
from pybuild.lang.diagnostics import source_error, suggest
from pybuild.lang.source import Source, Span


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


MEMBERS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "syntax": ("a text", lambda value: isinstance(value, str)),
    "from": ("a text", lambda value: isinstance(value, str)),
    "files": (
        "lists of texts by name",
        lambda value: isinstance(value, dict) and all(map(_texts, value.values())),
    ),
    "run": ("a list of texts", _texts),
    "env": ("texts by name", lambda value: isinstance(value, dict) and _texts([*value.values()])),
    "command": ("a list of texts", _texts),
}
"""The members of a recipe: what each is, and whether a value is that."""


class RecipeFrontend:
    """See `pybuild.compiler.frontend.Frontend`."""

    versions = ("1",)

    def build(self, bridge: Bridge, inputs: FrontendInputs) -> Built:
        recipe = read(inputs.source)
        return Built(image(recipe, platform, bridge, inputs) for platform in inputs.platforms)


frontend = RecipeFrontend()


def read(source: Source) -> dict[str, Any]:
    """The recipe in a file. Raises SourceError."""
    try:
        recipe: object = json.loads(source.text)
    except json.JSONDecodeError as error:
        span = Span(source, error.lineno, error.colno, error.lineno, error.colno + 1)
        raise source_error("the recipe is no JSON", span, error.msg) from None
    if not isinstance(recipe, dict):
        raise source_error("the recipe is no JSON object", Span(source, 1, 1, 1, 2))
    for name, value in recipe.items():
        if name not in MEMBERS:
            near = suggest(name, MEMBERS)
            help = f"did you mean {near}?" if near else "it has " + ", ".join(MEMBERS)
            wrong(source, name, f"a recipe has no member {name!r}", help)
        what, fits = MEMBERS[name]
        if not fits(value):
            wrong(source, name, f"{name!r} is not {what}", f"write {what}")
    return recipe


def wrong(source: Source, name: str, title: str, help: str) -> NoReturn:
    """Raises SourceError at the first place where the file names the member."""
    quoted = json.dumps(name)
    for number, line in enumerate(source.text.split("\n"), 1):
        if quoted in line:
            column = line.index(quoted) + 1
            raise source_error(title, Span(source, number, column, number, column + len(quoted)), help=help)
    raise source_error(title, Span(source, 1, 1, 1, 2), help=help)


def image(recipe: dict[str, Any], platform: Platform, bridge: Bridge, inputs: FrontendInputs) -> BuiltImage:
    """The image for one platform."""
    base = inputs.base(recipe.get("from", "scratch"), platform, bridge)
    state = with_environment(base.state, recipe)
    for dest, paths in recipe.get("files", {}).items():
        for path in paths:
            files = inputs.context.state(path)
            copied = copy(files, path, dest, create_dest_path=True, wildcard=True)
            state = state.file(copied, options=Options(name=f"copy {path} to {dest}"))
    for script in recipe.get("run", ()):
        state = state.run(shell=script, options=Options(name=f"run {script}"))
    return base.built(state, config(base, recipe))


def with_environment(state: State, recipe: dict[str, Any]) -> State:
    for name, value in recipe.get("env", {}).items():
        state = state.env(name, value)
    return state


def config(base: Base, recipe: dict[str, Any]) -> Image:
    """The base's config with the recipe's variables and command."""
    found = base.image
    for name, value in recipe.get("env", {}).items():
        found = found.with_config(env=found.config.with_env(name, value).env)
    return found.with_config(cmd=tuple(recipe["command"])) if "command" in recipe else found
