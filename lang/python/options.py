"""Run options (language spec, section 10): what `t.using(…)` gives to the runs in its block.

Each function is named as in the language and takes the same arguments.
"""

from __future__ import annotations

from pybuild.lang.python.calls import call
from pybuild.lang.python.expressions import Option, State
from pybuild.lang.python.names import variable
from pybuild.lang.python.recording import here
from pybuild.lang.textual import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from pybuild.lang.python.quantities import Size


def _option(name: str, /, *positional: object, **named: object) -> Option:
    return Option(call(name, positional, named, "option"), name)


def cache(
    path: str,
    *,
    id: str | None = None,
    scope: Literal["project", "user"] | None = None,
    sharing: Literal["shared", "private", "locked"] | None = None,
    seed: State | None = None,
    uid: int | None = None,
    gid: int | None = None,
    mode: int | None = None,
) -> Option:
    """A directory that is kept between builds, at `path`.

    `id` tells caches apart (default: the path); `scope` is `project` (default) or `user`; `sharing` says what happens
    if two steps want it at once: `shared` (default), `private` or `locked`. A new cache starts with the files of
    `seed`. `uid`, `gid` and `mode` are of its directory.
    """
    return _option("cache", path, id=id, scope=scope, sharing=sharing, seed=seed, uid=uid, gid=gid, mode=mode)


def bind(state: State, *, at: str, path: str | None = None, rw: bool = False) -> Option:
    """Another state, or its part at `path`, at `at`. With `rw` it may be written to; what is written is dropped."""
    return _option("bind", state, at=at, path=path, rw=rw or None)


def secret(
    id: str,
    *,
    at: str | None = None,
    env: str | None = None,
    optional: bool = False,
    uid: int | None = None,
    gid: int | None = None,
    mode: int | None = None,
    rev: str | None = None,
) -> Option:
    """The secret `id` as a file (default: `/run/secrets/ID`) or as the environment variable `env`.

    Its value is in no layer, key or log. `rev` is in the cache key: change it to have the runs run again.
    """
    return _option(
        "secret", id, at=at, env=env, optional=optional or None, uid=uid, gid=gid, mode=mode, rev=rev
    )


def ssh(id: str | None = None, *, at: str | None = None, optional: bool = False) -> Option:
    """The user's SSH agent, as `--ssh` names it (default: `default`)."""
    given = () if id is None else (id,)
    return _option("ssh", *given, at=at, optional=optional or None)


def tmpfs(path: str, *, size: Size | str | None = None) -> Option:
    """A file system in memory, at most `size` large (`256 * pb.MiB`, `"256MiB"`)."""
    return _option("tmpfs", path, size=size)


def env(**values: str | int | bool) -> Option:
    """Environment variables of the block's runs."""
    site = here()
    for name in values:
        variable(tree.Ident(site.keyword(name), name))
    return _option("env", **values)


def user(name: str) -> Option:
    """The user of the block's runs."""
    return _option("user", name)


def workdir(path: str) -> Option:
    """The directory of the block's runs."""
    return _option("workdir", path)


def network(mode: Literal["sandbox", "none", "host"]) -> Option:
    """The network of the block's runs: a private one, none, or the host's (`--allow network.host`)."""
    return _option("network", mode)


def device(name: str, *, optional: bool = False) -> Option:
    """A device by its CDI name (`--allow device`)."""
    return _option("device", name, optional=optional or None)


def insecure() -> Option:
    """All privileges (`--allow security.insecure`)."""
    return _option("insecure")


def limits(*, memory: Size | str | None = None, cpus: int | None = None, pids: int | None = None) -> Option:
    """Resource limits of the block's runs; in no cache key."""
    return _option("limits", memory=memory, cpus=cpus, pids=pids)


def uncached() -> Option:
    """The block's runs are always run."""
    return _option("uncached")
