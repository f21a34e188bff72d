"""Names in a graph that stand for places on this machine: local directories, and images of layouts and archives."""

from __future__ import annotations

from threading import Lock
from types import MappingProxyType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NOTHING: Mapping[str, str] = MappingProxyType({})


class LocalNames:
    """Read-only mappings `directories` and `named`; `provide` and `withdraw` replace them by others.

    A mapping that was read once never changes, so readers need no lock.
    """

    def __init__(
        self, directories: Mapping[str, bytes] | None = None, named: Mapping[str, str] | None = None
    ) -> None:
        self.directories: Mapping[str, bytes] = MappingProxyType(dict(directories or {}))
        self.named: Mapping[str, str] = MappingProxyType(dict(named or {}))
        self._providing = Lock()

    def provide(
        self, *, directories: Mapping[str, bytes] | None = None, images: Mapping[str, str] = NOTHING
    ) -> None:
        """Add names that are known only once the engine is open; they replace those of the same name."""
        with self._providing:
            self.directories = MappingProxyType({**self.directories, **(directories or {})})
            self.named = MappingProxyType({**self.named, **images})

    def withdraw(self, directory: str) -> None:
        """Remove the name of a directory that was needed for a while only. Raises KeyError."""
        with self._providing:
            rest = dict(self.directories)
            del rest[directory]
            self.directories = MappingProxyType(rest)
