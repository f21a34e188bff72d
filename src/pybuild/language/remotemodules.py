"""Fetch remote modules from git repositories and registries (language spec, section 14)."""

from __future__ import annotations

import posixpath

from pybuild.lang.diagnostics import Cancelled, UserError, suggest
from pybuild.lang.textual.modules import FOREIGN, ModuleText, NotFound
from pybuild.lang.textual.parse import decode
from pybuild.language.lock import MODULE
from pybuild.language.moduleaddress import parse
from pybuild.language.remoteplace import Origin, RemotePlace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from pybuild.compiler.state import State
    from pybuild.language.lock import Lock
    from pybuild.language.moduleaddress import Address
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.snapshots.types import Tree

    T = TypeVar("T")


class NeedsEngine(Exception):
    """A module has to be fetched, and no engine is open to fetch it with."""


class RemoteModules:
    """Fetches modules with an engine; each repository and image once. A reference without an entry in the
    lock file is resolved and added to it, or refused with `locked`."""

    def __init__(self, engine: Engine, lock: Lock, *, locked: bool, platform: str) -> None:
        self._engine = engine
        self._lock = lock
        self._locked = locked
        self._platform = platform
        self._trees: dict[tuple[str, str], Tree] = {}
        self._found: dict[str, ModuleText] = {}

    def find(self, written: str) -> ModuleText:
        """Return the module at the address that a `use` contains. Raises NotFound, Cancelled."""
        known = self._found.get(written)
        if known is None:
            known = self._found[written] = self._module(parse(written))
        return known

    def beside(self, path: str, place: RemotePlace) -> ModuleText:
        """Return the module at a path relative to another one, in the same repository. Raises NotFound."""
        full = posixpath.normpath(posixpath.join(place.base, path))
        if full.startswith("../") or full == "..":
            raise NotFound("E0804", f"the module `{path}` lies outside of its repository")
        return self._read(place.origin, place.tree, full, path)

    def _module(self, address: Address) -> ModuleText:
        if address.pin or self._is_built_here(address):
            pinned, _ = (address.pin, False) if address.pin else self._resolve(address)
            return self._at(address, pinned)
        known = self._lock.get(MODULE, address.written)
        if known is not None:
            return self._as_locked(address, known)
        if self._locked:
            raise NotFound(
                "E0802",
                f"`{address.written}` is not in pybuild.lock",
                label="needs an entry under `--locked`",
                help="run `pybuild lock` and commit pybuild.lock",
            )
        pinned, moving = self._resolve(address)
        module = self._at(address, pinned)
        self._lock.put(MODULE, address.written, f"{pinned} {_digest(module)}")
        return ModuleText(module.key, FOREIGN, module.source, module.place, moving)

    def _as_locked(self, address: Address, known: str) -> ModuleText:
        """Return the module of an entry of the lock file. Raises NotFound (E0803) if it is gone or has other
        content."""
        from pybuild.runtime.sources.gitrepository import CommitNotFound

        pinned, _, content = known.partition(" ")
        differs = NotFound(
            "E0803",
            f"`{address.written}` differs from pybuild.lock",
            label="has another content than when it was locked",
            help=f"if the change is meant, run `pybuild lock --update '{address.written}'`",
        )
        try:
            module = self._at(address, pinned)
        except NotFound as error:
            if not isinstance(error.__cause__, CommitNotFound):
                raise
            differs.label = f"the commit {pinned} is no longer in the repository"
            raise differs from error
        if content != _digest(module):
            raise differs
        return module

    def _at(self, address: Address, pinned: str) -> ModuleText:
        origin = Origin(address, pinned, self._platform)
        return self._read(origin, self._tree(origin), address.path, address.written)

    def _read(self, origin: Origin, tree: Tree, path: str, written: str) -> ModuleText:
        base, name = posixpath.split(path)
        place = RemotePlace(origin, tree, base or ".")
        try:
            data = place.read(name)
        except FileNotFoundError:
            names = [name for name in place.names(".") if name.endswith(".pybuild")]
            near = suggest(name, names)
            raise NotFound(
                "E0801",
                f"there is no module `{written}`",
                label=f"no `{path}` in it",
                help=f"did you mean `{posixpath.join(base, near)}`?" if near else "",
            ) from None
        key = origin.key(path)
        return ModuleText(key, FOREIGN, decode(key, data), place)

    def _is_built_here(self, address: Address) -> bool:
        from pybuild.compiler import reference

        if not address.is_image:
            return False
        return self._engine.images.built_here(reference.parse(address.image).canonical)

    def _resolve(self, address: Address) -> tuple[str, bool]:
        """Return the commit or digest that a reference leads to, and whether it is a branch. Raises NotFound,
        Cancelled."""
        from pybuild.compiler import platforms
        from pybuild.compiler.ops import SourceOp

        if address.is_image:
            platform = platforms.parse(self._platform)
            cancellation = self._engine.cancellation
            images = self._engine.images
            return _fetched(
                address, lambda: images.resolve_image(address.image, platform, cancellation).digest
            ), False
        edge = _state(Origin(address, address.ref, self._platform)).edge
        op = edge.vertex.op if edge is not None else None
        assert isinstance(op, SourceOp)
        commit = _fetched(address, lambda: self._engine.fetchers.git().resolve(op, self._engine.cancellation))
        return commit.commit, commit.ref.startswith("refs/heads/")

    def _tree(self, origin: Origin) -> Tree:
        key = origin.address.url, origin.pinned
        if key not in self._trees:
            edge = _fetched(origin.address, lambda: _state(origin).edge)
            assert edge is not None
            (result,) = _fetched(origin.address, lambda: self._engine.solve([edge]))
            self._trees[key] = self._engine.tree(result)
        return self._trees[key]


def _fetched(address: Address, work: Callable[[], T]) -> T:
    """Return the result of `work`. Raises NotFound for a module that can't be fetched, Cancelled."""
    try:
        return work()
    except Cancelled:
        raise
    except UserError as error:
        help = next((text for word, text in error.diagnostic.notes if word == "help"), "")
        title = f"the module `{address.written}` cannot be fetched"
        raise NotFound("E0801", title, label=str(error), help=help) from error


def _state(origin: Origin) -> State:
    from pybuild.compiler import platforms
    from pybuild.compiler.options import Options
    from pybuild.compiler.state import State

    address = origin.address
    name = f"[internal] load module {address.written}"
    if address.is_image:
        platform = platforms.parse(origin.platform)
        return State.image(origin.image, options=Options(platform, name=name))
    return State.git(address.url, origin.pinned, skip_submodules=True, options=Options(name=name))


def _digest(module: ModuleText) -> str:
    from hashlib import sha256

    return "sha256:" + sha256(module.source.text.encode("utf-8")).hexdigest()
