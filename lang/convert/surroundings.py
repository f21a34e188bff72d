"""What a conversion asks about the world around a Dockerfile; whoever starts it knows, or says that it doesn't."""

from __future__ import annotations

from typing import Protocol

from attrs import field, frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "file"
ARCHIVE = "archive"
DIRECTORY = "dir"
LINK = "link"


@frozen
class Repository:
    """What an ADD takes of a git repository. `checksum` is the commit it must be, or how that begins."""

    url: str
    ref: str = ""
    subdir: str = ""
    checksum: str = ""
    keep_git: bool = False
    submodules: bool = True


@frozen
class BaseImage:
    """What counts of an image's config."""

    environment: Mapping[str, str] = field(factory=dict)
    shell: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    user: str = ""
    directory: str = ""


class Surroundings(Protocol):
    """The context, addresses and images."""

    def kind(self, path: str) -> str | None:
        """Whether a path of the context is a FILE (an ARCHIVE), a DIRECTORY or a LINK; None: not known."""
        ...

    def matches(self, pattern: str) -> tuple[str, ...] | None:
        """The paths of the context that match, in order; None: not known."""
        ...

    def repository(self, address: str) -> Repository | None:
        """The git repository at an address; None for another address. Raises `UserError` for a bad one."""
        ...

    def download_name(self, url: str) -> str:
        """What the file at an HTTP address is called."""
        ...

    def base(self, reference: str, platform: str) -> BaseImage | None:
        """An image that a stage starts from; None: not known. `platform` "" is the build's own."""
        ...

    def ignored(self) -> tuple[str, ...]:
        """Patterns of an ignore file that is this Dockerfile's alone."""
        ...

    def has_another_ignore_file(self) -> bool:
        """Whether the context has one too, which doesn't count for this Dockerfile."""
        ...
