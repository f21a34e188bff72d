"""What a state of the recipe has become."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, field, frozen

from pybuild.compiler.graph import Edge
from pybuild.compiler.image import Config, Image
from pybuild.compiler.ops import Platform
from pybuild.lang.recipe import SHELL

ROOT = frozenset(("/",))
_REMEMBERED = 1000
"""Directories that are kept in mind; with more, all are forgotten and made again."""


@frozen(eq=False)
class Entry:
    """An entry of history, linked to the one before it: chains of states share theirs."""

    text: str
    layer: bool
    before: Entry | None = None


MOST_LAYERS = 127
"""An image can't have more: so much history is enough of what is laid over something."""


def layer_texts(history: Entry | None, stop: Entry | None) -> list[str]:
    """The texts of the last layers after `stop`, the oldest first."""
    out: list[str] = []
    while history is not None and history is not stop and len(out) < MOST_LAYERS:
        if history.layer:
            out.append(history.text)
        history = history.before
    return out[::-1]


@frozen(eq=False)
class Made:
    """File system and image config of a state, and what commands on it inherit.

    `edge` None is the empty file system. `image` None: files without a config; `history` comes after the image's
    own. `platform` is what steps run as. `environment` is ordered by the last assignment of each name, and `whole`
    says that all of it is known. `cmd_inherited`: the config's command comes from what the body starts with.
    `directories` are absolute paths that are known to be there. `mounts` is what the statement that made the files
    has left in the mounts that it keeps, by their paths.
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

    def recorded(self, text: str, *, layer: bool) -> Made:
        """With an entry of history."""
        return evolve(self, history=Entry(text, layer, self.history))

    def configured(self, text: str, **changes: object) -> Made:
        """With these fields of the config, and an entry of history."""
        assert self.image is not None
        image = self.image.with_config(**changes)
        return evolve(self, image=image, history=Entry(text, False, self.history))

    def written(self, edge: Edge | None, text: str) -> Made:
        """With another file system, by an op whose entry of history is `text`."""
        return evolve(self, edge=edge, history=Entry(text, True, self.history))

    def with_directory(self, path: str) -> Made:
        """With `path` and all above it known to be there."""
        if path in self.directories:
            return self
        known = set(self.directories) if len(self.directories) < _REMEMBERED else {"/"}
        while path not in known:
            known.add(path)
            path = path.rpartition("/")[0] or "/"
        return evolve(self, directories=frozenset(known))
