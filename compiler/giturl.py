"""Addresses of git repositories, with branch, tag, commit and directory in the fragment or the query.

    https://host/repo.git#main:docs
    git@host:repo.git?tag=v1&subdir=docs&checksum=0123abc

The rules are those of BuildKit's `frontend/dockerfile/dfgitutil` and `util/gitutil`.
"""

from __future__ import annotations

import posixpath
import re

from attrs import evolve, frozen

from pybuild.compiler.urls import parse_address, query_pairs, unescape
from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import UserError, suggest
from pybuild.lang.dockerfile.characters import printable

_SCP = re.compile(
    r"(?P<remote>[A-Za-z0-9_-]+@[A-Za-z0-9.-]+:[^?#\n]*)(?:\?(?P<query>[^#\n]*))?(?:#(?P<fragment>[^\n]*))?"
)
_SCHEMES = ("http", "https", "ssh", "git")
_SWITCHES = ("submodules", "keep-git-dir", "fetch-by-commit")
_NAMES = (*_SWITCHES, "ref", "tag", "branch", "subdir", "checksum", "commit", "mtime")
_MTIMES = ("checkout", "commit")


@frozen
class GitRef:
    """A repository with the part of it to use.

    `remote` is the address for git, `short_name` the name of the repository. `ref` is a branch, a tag or a commit,
    empty for the default branch; `checksum` is the commit that it must be, or the beginning of its hash. `subdir` is
    the directory to use, empty for all. `mtime` is `checkout`, `commit` (files get the commit's time) or empty. With
    `fetch_by_commit` the commit `checksum` is fetched, wherever `ref` points.

    `indistinguishable_from_local` marks `github.com/…`, which could also be a path. `unencrypted_tcp` marks an
    unencrypted connection.
    """

    remote: str = ""
    short_name: str = ""
    ref: str = ""
    subdir: str = ""
    checksum: str = ""
    keep_git_dir: bool | None = None
    submodules: bool | None = None
    mtime: str = ""
    fetch_by_commit: bool = False
    indistinguishable_from_local: bool = False
    unencrypted_tcp: bool = False


def parse_git_ref(text: str) -> GitRef | None:
    """Parse the address of a repository; None if `text` isn't one. The path of an HTTP address must end in `.git`.

    Raises `UserError` if the query of a repository's address is wrong.
    """
    if text.startswith(("./", "../")):
        return None
    if text.startswith("github.com/"):
        parsed = _from_address("https://" + text)
        if parsed is None:
            return None
        ref, query = parsed
        ref = evolve(ref, remote=ref.remote.removeprefix("https://"), indistinguishable_from_local=True)
    else:
        parsed = _from_address(text, suffixed=True) if "://" in text else _from_scp(text)
        if parsed is None:
            return None
        ref, query = parsed
    ref = evolve(ref, short_name=ref.remote.rpartition("/")[2].removesuffix(".git"))
    return _with_query(ref, query) if query else ref


def _from_address(text: str, *, suffixed: bool = False) -> tuple[GitRef, str] | None:
    """Parse an address with a scheme to a repository and a query. `suffixed` requires `.git` in HTTP addresses."""
    address = parse_address(text)
    if address is None or address.scheme not in _SCHEMES:
        return None
    if suffixed and address.scheme in ("http", "https") and not address.path.endswith(".git"):
        return None
    ref, subdir = _fragment(address.fragment)
    unencrypted = address.scheme in ("http", "git")
    return GitRef(address.bare, ref=ref, subdir=subdir, unencrypted_tcp=unencrypted), address.query


def _from_scp(text: str) -> tuple[GitRef, str] | None:
    match = _SCP.fullmatch(text)
    if match is None:
        return None
    query = match["query"] or ""
    if any(";" in item or unescape(item) is None for item in query.split("&")):
        return None
    ref, subdir = _fragment(match["fragment"] or "")
    return GitRef(match["remote"], ref=ref, subdir=subdir), query


def _fragment(fragment: str) -> tuple[str, str]:
    ref, _, subdir = fragment.partition(":")
    return ref, posixpath.normpath("/" + subdir).lstrip("/") if subdir else ""


def _with_query(ref: GitRef, query: str) -> GitRef:
    values: dict[str, str] = {}
    for name, value in query_pairs(query):
        if name not in _NAMES:
            near = suggest(name, _NAMES)
            hint = f"did you mean {near}?" if near else "a repository's address takes " + ", ".join(_NAMES)
            raise UserError(f"unexpected query {_quoted(name)}", help=hint)
        if name in values:
            raise UserError(f"query {_quoted(name)} has multiple values", help="give it once")
        if not value and name not in _SWITCHES:
            raise UserError(f"query {_quoted(name)} has no value", help=f"write {name}=…")
        values[name] = value
    switches = {name: _switch(name, values) for name in _SWITCHES}
    return evolve(
        ref,
        ref=_ref(ref.ref, values),
        subdir=_agreed("subdir", ref.subdir, values.get("subdir", "")),
        checksum=_agreed("checksum", values.get("checksum", ""), values.get("commit", "")),
        keep_git_dir=switches["keep-git-dir"],
        submodules=switches["submodules"],
        mtime=_mtime(values.get("mtime", "")),
        fetch_by_commit=bool(switches["fetch-by-commit"]),
    )


def _ref(fragment: str, values: dict[str, str]) -> str:
    """Return the ref that the fragment, `ref`, `tag` and `branch` agree on. Raises `UserError` if they don't."""
    if "tag" in values and "branch" in values:
        raise UserError("branch conflicts with tag", help="give one of them")
    ref = _agreed("ref", fragment, values.get("ref", ""))
    for name, prefix in (("tag", "refs/tags/"), ("branch", "refs/heads/")):
        if name in values:
            ref = _agreed("ref", ref, prefix + values[name].removeprefix(prefix))
    return ref


def _agreed(what: str, one: str, other: str) -> str:
    if one and other and one != other:
        raise UserError(f"{what} conflicts: {_quoted(one)} vs {_quoted(other)}", help="give it once")
    return one or other


def _switch(name: str, values: dict[str, str]) -> bool | None:
    """Return the value of a switch: True if it has no value, None if it isn't given. Raises `UserError`."""
    value = values.get(name)
    if not value:
        return None if value is None else True
    on = truth(value)
    if on is None:
        raise UserError(f"invalid {name} value: {_quoted(value)}", help="give true or false")
    return on


def _mtime(value: str) -> str:
    if value and value not in _MTIMES:
        raise UserError(f'invalid mtime value: {_quoted(value)} (must be "checkout" or "commit")')
    return value


def _quoted(text: str) -> str:
    return f'"{printable(text)}"'
