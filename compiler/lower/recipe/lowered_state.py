"""The lowered form of a recipe's states."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, field, frozen

from pybuild.compiler.graph import Edge
from pybuild.compiler.image import Config, Image
from pybuild.compiler.ops import Platform
from pybuild.lang.recipe import SHELL

ROOT = frozenset(("/",))
_REMEMBERED = 1000
"""The most known directories of a state. Beyond it all are forgotten, and made again when they are used."""


@frozen(eq=False)
class Entry:
    """An entry of history, linked to the earlier one, so that chains of states share their entries."""

    text: str
    layer: bool
    before: Entry | None = None


MOST_LAYERS = 127
"""The most layers of an image, and so the most history that a merge needs of a state."""


def layer_texts(history: Entry | None, stop: Entry | None) -> list[str]:
    """Return the texts of the layers after `stop`, at most `MOST_LAYERS`, the oldest first."""
    out: list[str] = []
    while history is not None and history is not stop and len(out) < MOST_LAYERS:
        if history.layer:
            out.append(history.text)
        history = history.before
    return out[::-1]


@frozen(eq=False)
class LoweredState:
    """The file system and image config of a state, with the settings of its commands.

    `edge` None is the empty file system. `image` None means files without a config; `history` follows the image's
    own. `platform` is that of steps. `environment` is ordered by the last assignment of each name; `whole` is false
    if variables of the base are unknown. With `cmd_inherited` the config's command comes from the base of the body.
    `directories` are absolute paths that are known to exist. `mounts` are the outputs of the mounts of the last
    step, by their paths.
    """

    edge: Edge | None
    image: Image | None = None
    platform: Platform | None = None
    environment: Mapping[str, str] = field(factory=dict)
    whole: bool = True
    shell: tuple[str, ...] = SHELL
    history: Entry | None = None
    base_config: bytes | None = None
    annotations: Mapping[str, str] = field(factory=dict)
    cmd_inherited: bool = False
    directories: frozenset[str] = ROOT
    mounts: Mapping[str, Edge | None] = field(factory=dict)

    @property
    def config(self) -> Config:
        return self.image.config if self.image is not None else Config()

    @property
    def cwd(self) -> str:
        return self.config.working_dir or "/"

    def recorded(self, text: str, *, layer: bool) -> LoweredState:
        """Return the state with an entry of history."""
        return evolve(self, history=Entry(text, layer, self.history))

    def configured(self, text: str, **changes: object) -> LoweredState:
        """Return the state with changed fields of the config, and an entry of history."""
        assert self.image is not None
        image = self.image.with_config(**changes)
        return evolve(self, image=image, history=Entry(text, False, self.history))

    def written(self, edge: Edge | None, text: str) -> LoweredState:
        """Return the state with another file system, and the entry of history `text` for its layer."""
        return evolve(self, edge=edge, history=Entry(text, True, self.history))

    def with_directory(self, path: str) -> LoweredState:
        """Return the state with `path` and its parents as known directories."""
        if path in self.directories:
            return self
        known = set(self.directories) if len(self.directories) < _REMEMBERED else {"/"}
        while path not in known:
            known.add(path)
            path = path.rpartition("/")[0] or "/"
        return evolve(self, directories=frozenset(known))
