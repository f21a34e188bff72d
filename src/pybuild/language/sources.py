"""Sources of a recipe's states on this machine: directories, OCI layouts, commands of the host."""

from __future__ import annotations

import os

from pybuild.lang import recipe
from pybuild.lang.reachable import states
from pybuild.runtime.content.place import default_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.replay.dependencies import Dependencies


class Names:
    """Names of a recipe's states in its graph: `directories` by local source name, `hosts` and `layouts` the
    names of OCI layouts by commands and by paths. No file is looked at."""

    def __init__(self, of: recipe.Recipe) -> None:
        self.directories: dict[str, bytes] = {}
        self.hosts: dict[tuple[str, ...], str] = {}
        self.layouts: dict[str, str] = {}
        for state in states(of):
            if isinstance(state, recipe.Directory):
                self.directories[state.name] = os.fsencode(state.path)
            elif isinstance(state, recipe.Layout):
                self.layouts.setdefault(state.path, f"layout{len(self.layouts)}")
            elif isinstance(state, recipe.Host):
                self.hosts.setdefault(state.commands, f"host{len(self.hosts)}")


class Sources:
    """The sources behind the names of a recipe: `directories` by local source name, `images` by OCI layout name.
    The constructor copies the commands of `host(…)`. Raises UserError."""

    def __init__(self, of: recipe.Recipe, dependencies: Dependencies) -> None:
        names = Names(of)
        self.directories = names.directories
        self.images: dict[str, str] = {}
        for path, name in names.layouts.items():
            self._layout(path, name, dependencies)
        for commands, name in names.hosts.items():
            self._host(commands, name, dependencies)

    def _layout(self, path: str, name: str, dependencies: Dependencies) -> None:
        from pybuild.runtime.sources.layout import parse_layout_name

        self.images[name] = f"oci-layout://{path}"
        directory = parse_layout_name(path).path
        dependencies.note(directory)
        dependencies.note(os.path.join(directory, "index.json"))

    def _host(self, commands: tuple[str, ...], name: str, dependencies: Dependencies) -> None:
        from pybuild.runtime.content.root import make_root
        from pybuild.runtime.sources.host import materialize

        root = default_root()
        make_root(root)
        layout = materialize(commands, os.path.join(root, "host"))
        self.images[name] = "oci-layout://" + layout.path
        for path in layout.files:
            dependencies.note(path)
