"""The interface by which a conversion asks about the world around a Dockerfile. An answer may be "not known"."""

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
    """A git repository as an ADD uses it. `checksum` is the commit that is required, or a prefix of it."""

    url: str
    ref: str = ""
    subdir: str = ""
    checksum: str = ""
    keep_git: bool = False
    submodules: bool = True


@frozen
class BaseImage:
    """The parts of an image's config that matter for a conversion."""

    environment: Mapping[str, str] = field(factory=dict)
    shell: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    user: str = ""
    directory: str = ""


class Surroundings(Protocol):
    """The context, addresses and images."""

    def kind(self, path: str) -> str | None:
        """Return FILE, ARCHIVE, DIRECTORY or LINK for a path of the context; None if not known."""
        ...

    def matches(self, pattern: str) -> tuple[str, ...] | None:
        """Return the paths of the context that match, in order; None if not known."""
        ...

    def repository(self, address: str) -> Repository | None:
        """Return the git repository at an address; None for another address. Raises UserError for a bad one."""
        ...

    def download_name(self, url: str) -> str:
        """Return the name of the file at an HTTP address."""
        ...

    def base(self, reference: str, platform: str) -> BaseImage | None:
        """Return an image that a stage is built on; None if not known. `platform` "" is the build's own."""
        ...

    def ignored(self) -> tuple[str, ...]:
        """Return the patterns of an ignore file that is for this Dockerfile alone."""
        ...

    def has_another_ignore_file(self) -> bool:
        """True if the context also has an ignore file that doesn't apply to this Dockerfile."""
        ...
