"""A fetched module's directory, as files of the language see it."""

from __future__ import annotations

import os
import posixpath
import stat

from pybuild.lang import recipe
from pybuild.lang.diagnostics import UserError
from pybuild.language.local_place import LARGEST_FILE, kind_of, read_ignores

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.language.moduleaddress import Address
    from pybuild.runtime.snapshots.types import Node, Tree


class Origin:
    """The origin of a fetched module: a repository at the commit `pinned`, or an image with that digest.
    Images are taken for `platform`."""

    __slots__ = ("address", "pinned", "platform")

    def __init__(self, address: Address, pinned: str, platform: str) -> None:
        self.address = address
        self.pinned = pinned
        self.platform = platform

    def key(self, path: str) -> str:
        """Return the identity of a file: the same for the same file at the same version."""
        address = self.address
        version = "" if address.is_image else f"@{address.ref}"
        return f"{address.url}//{path}{version}"

    @property
    def image(self) -> str:
        """The image's reference with its digest."""
        return f"{self.address.image.partition('@')[0]}@{self.pinned}"

    def whole(self) -> recipe.State:
        if self.address.is_image:
            return recipe.Image(None, self.image, self.platform)
        return self._repository("")

    def below(self, base: str) -> recipe.State:
        """Return the state of a directory of it; `.` is the root."""
        if base == ".":
            return self.whole()
        return self.selected(base, ()) if self.address.is_image else self._repository(base)

    def selected(self, base: str, exclude: tuple[str, ...]) -> recipe.State:
        """Return a state with a copy of a directory, without the files that the patterns match."""
        source = self.whole() if self.address.is_image or base == "." else self._repository(base)
        path = f"/{base}/" if self.address.is_image and base != "." else "/"
        body = recipe.Body(self.key("" if base == "." else base), self.platform)
        start = recipe.Start(None, recipe.Scratch(None), self.platform, body)
        copied = recipe.Copy((recipe.Source(path),), source, "/", exclude=exclude)
        body.state = recipe.Step(None, start, copied, body)
        return body.state

    def _repository(self, base: str) -> recipe.State:
        # As the module itself was fetched: without submodules, with the secrets that let git in.
        return recipe.Git(
            None,
            self.address.url,
            self.pinned,
            subdir=base,
            submodules=False,
            token="GIT_AUTH_TOKEN",
            header="GIT_AUTH_HEADER",
        )


class RemotePlace:
    """A directory of a fetched tree as a module sees it (`lang.textual.modules.Place`): `base` is its path in
    the tree, `.` for the root."""

    __slots__ = ("_ignores", "base", "origin", "tree")

    def __init__(self, origin: Origin, tree: Tree, base: str) -> None:
        self.base = base
        self.origin = origin
        self.tree = tree
        self._ignores: tuple[str, ...] | None = None

    def state(self, ignore: tuple[str, ...]) -> recipe.State:
        exclude = (*self.ignores(), *ignore)
        return self.origin.selected(self.base, exclude) if exclude else self.origin.below(self.base)

    def ignores(self) -> tuple[str, ...]:
        if self._ignores is None:
            self._ignores = read_ignores(self.read)
        return self._ignores

    def kind(self, path: str) -> str | None:
        node = self._node(path, follow=False)
        return None if node is None else kind_of(node.stat.st_mode)

    def names(self, path: str) -> list[str]:
        node = self._node(path, follow=True)
        if node is None or not stat.S_ISDIR(node.stat.st_mode):
            return []
        return [posixpath.basename(os.fsdecode(child.path)) for child in self.tree.list(node.path)]

    def read(self, path: str) -> bytes:
        node = self._node(path, follow=True)
        if node is None or not stat.S_ISREG(node.stat.st_mode):
            raise FileNotFoundError(path)
        if node.stat.st_size > LARGEST_FILE:
            raise UserError(f"{path} is larger than {LARGEST_FILE >> 20} MiB", help="read it in a `run` step")
        with node.content() as file:
            return file.read()

    def absolute(self, path: str) -> str | None:
        return None

    def _node(self, path: str, *, follow: bool) -> Node | None:
        """Return the node at a path; None if there is none, or if the path leads outside of the directory."""
        joined = posixpath.normpath(posixpath.join("/", self.base, path)).strip("/")
        try:
            resolution = self.tree.resolve(os.fsencode(joined), follow_last=follow)
        except OSError:
            return None
        base = os.fsencode("" if self.base == "." else self.base)
        inside = not base or resolution.path == base or resolution.path.startswith(base + b"/")
        return resolution.node if inside else None
