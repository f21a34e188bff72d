"""A frontend of an installed package, as it is registered."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Registered:
    """A registered frontend: its `name`, its entry point, its package and the package's version."""

    __slots__ = ("entry", "name", "package", "version")

    def __init__(self, entry: EntryPoint) -> None:
        self.entry = entry
        self.name = entry.name
        self.package = entry.dist.name if entry.dist is not None else entry.module
        self.version = entry.dist.version if entry.dist is not None else ""

    @property
    def owner(self) -> str:
        """The package and its version, for messages."""
        return f"{self.package} {self.version}".rstrip()
