"""Answers to the questions of a Dockerfile's conversion, from its context and, if allowed, from
registries."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack

from pybuild.lang.convert.surroundings import ARCHIVE, DIRECTORY, FILE, LINK, BaseImage, Repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from pybuild.compiler.bridge import Bridge
    from pybuild.runtime.engine import Engine

_BLOCK = 512


class ConvertContext:
    """The surroundings of a Dockerfile (`lang.convert.Surroundings`). `name` is the Dockerfile's, None if it
    is no file. With `linked` the configs of images are resolved; the first opens an engine, which leaving the
    context closes."""

    def __init__(self, directory: str, name: str | None, *, linked: bool) -> None:
        """Raises UsageError for an ignore file that can't be read, SourceError for a bad pattern in it."""
        from pybuild.frontends.build_context import BuildInputs, with_ignore
        from pybuild.lang.dockerfile.ignore import Matcher
        from pybuild.replay.dependencies import Dependencies

        self._directory = directory
        self._linked = linked
        self._opened = ExitStack()
        self._engine: Engine | None = None
        inputs = BuildInputs(name or "Dockerfile", directory=os.path.abspath(directory))
        self._inputs = with_ignore(inputs, Dependencies(), beside=name)
        self._patterns = self._inputs.excludes
        self._ignored = Matcher(list(self._patterns))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    # The context

    def read(self, path: str) -> bytes:
        """Return the bytes of a file, for INCLUDE. Raises FileNotFoundError."""
        full = os.path.join(self._directory, os.path.normpath("/" + path).lstrip("/"))
        with open(full, "rb") as file:
            return file.read()

    def kind(self, path: str) -> str | None:
        full = os.path.join(self._directory, path)
        try:
            mode = os.lstat(full).st_mode
        except (OSError, ValueError):
            return None
        if path and self._ignored.matches(path):
            return None
        if stat.S_ISDIR(mode):
            return DIRECTORY
        if not stat.S_ISREG(mode):
            return LINK
        return ARCHIVE if _is_archive(full) else FILE

    def matches(self, pattern: str) -> tuple[str, ...] | None:
        return tuple(
            path for path in self._matching_paths("", pattern.split("/")) if not self._ignored.matches(path)
        )

    def _matching_paths(self, above: str, parts: list[str]) -> Iterator[str]:
        """Return the paths below a directory that a pattern's components match, sorted."""
        from pybuild.lang.dockerfile.wildcard import match

        try:
            names = sorted(os.listdir(os.path.join(self._directory, above)), key=os.fsencode)
        except OSError:
            return
        for name in names:
            if match(parts[0], name):
                path = os.path.join(above, name)
                if len(parts) == 1:
                    yield path
                else:
                    yield from self._matching_paths(path, parts[1:])

    def ignored(self) -> tuple[str, ...]:
        """Return the patterns of `Dockerfile.dockerignore`: the language reads `.dockerignore` itself."""
        has_own_file = os.path.basename(self._inputs.ignore_name) != ".dockerignore"
        return self._patterns if has_own_file else ()

    def has_another_ignore_file(self) -> bool:
        return bool(self.ignored()) and os.path.lexists(os.path.join(self._directory, ".dockerignore"))

    # Addresses

    def repository(self, address: str) -> Repository | None:
        from pybuild.compiler.giturl import parse_git_ref

        ref = parse_git_ref(address)
        if ref is None or ref.indistinguishable_from_local:
            return None
        return Repository(
            ref.remote,
            ref.ref,
            ref.subdir,
            ref.checksum,
            bool(ref.keep_git_dir),
            ref.submodules is not False,
        )

    def download_name(self, url: str) -> str:
        from pybuild.compiler.urls import download_name

        return download_name(url)

    # Images

    def base(self, reference: str, platform: str) -> BaseImage | None:
        if not self._linked:
            return None
        from pybuild.compiler import image, platforms
        from pybuild.compiler.reference import parse

        requested = platforms.parse(platform) if platform else platforms.default()
        resolved = self._bridge().resolve_image(parse(reference).canonical, requested)
        config = image.parse(resolved.config).config
        environment = {}
        for entry in config.env:
            name, _, value = entry.partition("=")
            environment[name] = value
        environment.setdefault("PATH", image.DEFAULT_PATH)
        return BaseImage(environment, config.shell, config.on_build, config.user, config.working_dir)

    def _bridge(self) -> Bridge:
        from pybuild.build.engine import open_engine
        from pybuild.frontends.types import GraphNames
        from pybuild.request.request import BuildRequest
        from pybuild.runtime.bridge.bridge import local_bridge
        from pybuild.runtime.progress.observer import Observer
        from pybuild.runtime.solver.types import Cancellation

        observer = Observer()
        if self._engine is None:
            request = BuildRequest(context=self._directory)
            opened = open_engine(request, GraphNames(), observer, Cancellation(), enter=False)
            self._engine = self._opened.enter_context(opened)
        return local_bridge(self._engine, observer)


def _is_archive(path: str) -> bool:
    from pybuild.compiler.remote import is_archive

    try:
        with open(path, "rb") as file:
            return is_archive(file.read(_BLOCK))
    except OSError:
        return False
