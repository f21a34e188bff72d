"""The contexts of `--build-context`, sorted by kind."""

from __future__ import annotations

import os

from pybuild.compiler.remote import is_remote
from pybuild.lang.diagnostics import UsageError
from pybuild.runtime.content.place import default_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybuild.replay.dependencies import Dependencies


class NamedContexts:
    """Values of `--build-context`, sorted by kind.

    `directories` and `images` are what the graph's local names and layout names stand for, `hosts` the commands of
    host file systems, `sources` the texts that the lowering gets. All are by the context's name.
    """

    __slots__ = ("directories", "hosts", "images", "sources")

    def __init__(self, contexts: Iterable[tuple[str, str]], dependencies: Dependencies) -> None:
        """Sort contexts by name; files that decide what a name means are noted in `dependencies`. Raises UsageError
        for a value that names no context."""
        self.directories: dict[str, bytes] = {}
        self.images: dict[str, str] = {}
        self.hosts: dict[str, tuple[str, ...]] = {}
        self.sources: dict[str, str] = {}
        for name, value in contexts:
            self._add(name, value, dependencies)

    def host_layouts(self, dependencies: Dependencies) -> dict[str, str]:
        """Copy the commands of `host:` contexts, and return these as OCI layouts. Raises UserError."""
        from pybuild.runtime.content.root import make_root
        from pybuild.runtime.sources.host import materialize

        layouts: dict[str, str] = {}
        root = default_root()
        make_root(root)
        for name, commands in self.hosts.items():
            host = materialize(commands, os.path.join(root, "host"))
            layouts[name] = "oci-layout://" + host.path
            for path in host.files:
                dependencies.note(path)
        return layouts

    def _add(self, name: str, value: str, dependencies: Dependencies) -> None:
        if value.startswith("docker-image://"):
            self.sources[name] = value
        elif value.startswith(("oci-layout://", "docker-archive:")):
            self.images[name] = value
            self.sources[name] = f"oci-layout://{name}"
            _note_image(value, dependencies)
        elif value.startswith("host:"):
            commands = tuple(part.strip() for part in value[5:].split(",") if part.strip())
            if not commands:
                raise UsageError(f"the build context {name} names no command: {value}", help="host:sh,cat,ls")
            self.hosts[name] = commands
            self.sources[name] = f"oci-layout://{name}"
        elif value == "target:":
            raise UsageError(f"the build context {name} names no stage: {value}", help="target:STAGE")
        elif value.startswith("target:") or is_remote(value):
            self.sources[name] = value
        elif os.path.isdir(value):
            local_name = f"context:{name}"
            self.directories[local_name] = os.fsencode(os.path.abspath(value))
            self.sources[name] = f"local:{local_name}"
        else:
            what = "is not a directory" if os.path.exists(value) else "does not exist"
            raise UsageError(
                f"the build context {name}={value} {what}",
                help="give a directory, docker-image://REF, oci-layout://PATH, docker-archive:PATH, host:COMMANDS, "
                "target:STAGE or the address of a git repository or an archive",
            )


def _note_image(value: str, dependencies: Dependencies) -> None:
    """Note the files that tell whether an image outside of registries is the same."""
    from pybuild.runtime.sources.archive import parse_archive_name
    from pybuild.runtime.sources.layout import parse_layout_name

    scheme, _, rest = value.partition(":")
    if scheme == "docker-archive":
        path = os.path.abspath(parse_archive_name(rest.removeprefix("//")).path)
    else:
        path = os.path.abspath(parse_layout_name(rest.removeprefix("//")).path)
    dependencies.note(os.path.abspath(rest.removeprefix("//")))  # a file of the whole text is the path
    dependencies.note(path)
    dependencies.note(os.path.join(path, "index.json"))
