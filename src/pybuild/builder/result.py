"""The result of a build."""

from __future__ import annotations

import os
from collections.abc import Iterator

from attrs import field, frozen

from pybuild.builder.images import Image, Platform
from pybuild.builder.options import Path
from pybuild.builder.reader import Reader
from pybuild.builder.record import Step
from pybuild.lang.diagnostics import Diagnostic, UsageError


@frozen
class Entry:
    """An entry of a state: `path` from its root (`/etc/passwd`), `kind` `file`, `directory`, `symlink`, `device`,
    `fifo` or `socket`, permission bits, owner as steps see it, `size` in bytes, `link` the target of a symlink,
    `mtime` in nanoseconds since the epoch."""

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    link: str
    mtime: int


@frozen
class Completed:
    """A command that has ended: its exit code, as a shell has it, and its output."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode("utf-8", "replace")


@frozen
class Result:
    """The result of a build. Its files can be read as long as the builder is open and the store has them.

    `steps` are the steps of the build in order, `warnings` its warnings; `started` and `completed` are seconds
    since the epoch.
    """

    images: tuple[Image, ...]
    steps: tuple[Step, ...] = field(repr=False)
    warnings: tuple[Diagnostic, ...] = field(repr=False)
    started: float = field(repr=False)
    completed: float = field(repr=False)
    _reader: Reader = field(repr=False)

    @property
    def digests(self) -> tuple[str, ...]:
        """The digests of all images that were made."""
        return tuple(image.digest for image in self.images if image.digest is not None)

    @property
    def digest(self) -> str | None:
        """The image's digest; None if no image was made. Raises ValueError if there are several."""
        digests = self.digests
        if len(digests) > 1:
            raise ValueError(f"{len(digests)} images were made: see digests")
        return digests[0] if digests else None

    @property
    def files(self) -> tuple[str, ...]:
        """The paths that were exported."""
        return tuple(dict.fromkeys(path for image in self.images for path in image.files))

    @property
    def seconds(self) -> float:
        """The seconds that the build took."""
        return self.completed - self.started

    @property
    def logs(self) -> dict[str, str]:
        """The output of steps, by their names."""
        logs_by_name: dict[str, str] = {}
        for step in self.steps:
            if step.log:
                logs_by_name[step.name] = logs_by_name.get(step.name, "") + step.log
        return logs_by_name

    def platform(self, platform: str | None = None, *, target: str | None = None) -> Platform:
        """Return the platform's result that these names select. Raises UsageError if they select none, or
        several."""
        matches = [
            (image, result)
            for image in self.images
            for result in image.platforms
            if target in (None, image.name) and platform in (None, result.name)
        ]
        if len(matches) != 1:
            choices = matches or [(image, result) for image in self.images for result in image.platforms]
            listed = ", ".join(f"{image.name} {result.name}".strip() for image, result in choices)
            amount = "more than one state" if matches else "nothing"
            raise UsageError(
                f"{amount} of that name was built", help=f"give target= and platform= of: {listed}"
            )
        return matches[0][1]

    def read_file(self, path: Path, *, target: str | None = None, platform: str | None = None) -> bytes:
        """Return the bytes of a file. Symlinks are resolved inside the result. Raises FileNotFoundError,
        IsADirectoryError, OSError, UserError."""
        state = self.platform(platform, target=target).state
        return b"".join(self._reader.ask("read", state, _name(path)))

    def read_text(self, path: Path, *, target: str | None = None, platform: str | None = None) -> str:
        """Return a file as UTF-8 text. Raises as `read_file`."""
        return self.read_file(path, target=target, platform=platform).decode()

    def walk(
        self, path: Path = "/", *, target: str | None = None, platform: str | None = None
    ) -> Iterator[Entry]:
        """Yield the entries below a directory: a directory before its content, names in byte order, symlinks not
        followed. Raises FileNotFoundError, NotADirectoryError, UserError."""
        state = self.platform(platform, target=target).state
        return (Entry(*row) for part in self._reader.ask("walk", state, _name(path)) for row in part)

    def _repr_html_(self) -> str:
        from pybuild.builder.result_table import result_table

        return result_table(self.images, self.steps, self.seconds)


def _name(path: Path) -> str:
    return os.fsdecode(path)
