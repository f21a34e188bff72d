"""Source ops as BuildKit's client (`client/llb/source.go`) writes them: identifiers, attributes, capabilities."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pybuild.compiler import reference
from pybuild.compiler.ops import SourceOp
from pybuild.lang.diagnostics import UserError

SourceParts = tuple[SourceOp, frozenset[str]]
"""A source op and the capabilities of a solver that it needs."""


def platform_specific(identifier: str) -> bool:
    """True if ops of this source carry a platform."""
    return identifier.startswith(("docker-image://", "oci-layout://"))


def _source(identifier: str, attrs: Mapping[str, str], caps: Mapping[str, bool]) -> SourceParts:
    present: Any = {key: value for key, value in attrs.items() if value}
    return SourceOp(identifier, present), frozenset(cap for cap, needed in caps.items() if needed)


def image_source(
    ref: str, resolve_mode: str, record_type: str, layer_limit: int | None, checksum: str
) -> SourceParts:
    return _source(
        "docker-image://" + reference.parse(ref).canonical,
        {
            "image.resolvemode": resolve_mode,
            "image.recordtype": record_type,
            "image.layerlimit": "" if layer_limit is None else str(layer_limit),
            "image.checksum": checksum,
        },
        {
            "source.image": True,
            "source.image.resolvemode": resolve_mode == "pull",
            "source.image.layerlimit": layer_limit is not None,
            "source.image.checksum": bool(checksum),
        },
    )


def local_source(
    name: str,
    *,
    include: Iterable[str],
    exclude: Iterable[str],
    follow_paths: Iterable[str],
    shared_key: str,
    session: str,
    unique: str,
    differ: str,
    metadata_only: bool,
    metadata_exceptions: Iterable[str],
) -> SourceParts:
    attrs = {
        "local.session": session,
        "local.unique": unique,
        "local.includepattern": json_list(include),
        "local.followpaths": json_list(follow_paths),
        "local.excludepatterns": json_list(exclude),
        "local.sharedkeyhint": shared_key,
        "local.differ": differ,
        "local.metadatatransfer": "true" if metadata_only else "",
        "local.metadatatransferexclude": json_list(metadata_exceptions) if metadata_only else "",
    }
    caps = {
        "source.local": True,
        "source.local.sessionid": bool(session),
        "source.local.unique": bool(unique),
        "source.local.includepatterns": bool(attrs["local.includepattern"]),
        "source.local.followpaths": bool(attrs["local.followpaths"]),
        "source.local.excludepatterns": bool(attrs["local.excludepatterns"]),
        "source.local.sharedkeyhint": bool(shared_key),
        "source.local.metadatatransfer": metadata_only,
    }
    return _source("local://" + name, attrs, caps)


def oci_layout_source(ref: str, session: str, store: str, layer_limit: int | None) -> SourceParts:
    return _source(
        "oci-layout://" + ref,
        {
            "oci.session": session,
            "oci.store": store,
            "oci.layerlimit": "" if layer_limit is None else str(layer_limit),
        },
        {"source.ocilayout": True},
    )


def http_source(
    url: str,
    *,
    checksum: str,
    filename: str,
    mode: int | None,
    uid: int,
    gid: int,
    auth_header_secret: str,
    headers: Mapping[str, str] | None,
) -> SourceParts:
    attrs = {
        "http.checksum": checksum,
        "http.filename": filename,
        "http.perm": f"0{mode & 0o777:o}" if mode and mode & 0o777 else "",
        "http.uid": str(uid) if uid else "",
        "http.gid": str(gid) if gid else "",
        "http.authheadersecret": auth_header_secret,
    }
    attrs |= {f"http.header.{name.lower()}": value for name, value in (headers or {}).items()}
    caps = {
        "source.http": True,
        "source.http.checksum": bool(checksum),
        "source.http.perm": bool(attrs["http.perm"]),
        # BuildKit's own spelling of this capability.
        "soruce.http.uidgid": bool(uid or gid),
        "source.http.auth": bool(auth_header_secret),
        "source.http.header": headers is not None,
    }
    return _source(url, attrs, caps)


def git_source(
    remote: str,
    ref: str,
    *,
    subdir: str,
    keep_git_dir: bool,
    checksum: str,
    skip_submodules: bool,
    mtime: str,
    fetch_by_commit: bool,
    auth_token_secret: str | None,
    auth_header_secret: str | None,
    known_ssh_hosts: str,
    ssh_socket: str,
) -> SourceParts:
    url, host, path, is_ssh = git_remote(remote)
    subdir = posixpath.normpath("/" + subdir).lstrip("/")
    identifier = "git://" + host + posixpath.normpath("/" + path.lstrip("/"))
    if ref or subdir:
        identifier += f"#{ref}" + (f":{subdir}" if subdir else "")
    attrs = {
        "git.keepgitdir": "true" if keep_git_dir else "",
        "git.fullurl": url,
        "git.authtokensecret": "GIT_AUTH_TOKEN" if auth_token_secret is None else auth_token_secret,
        "git.authheadersecret": "GIT_AUTH_HEADER" if auth_header_secret is None else auth_header_secret,
        "git.knownsshhosts": known_ssh_hosts if is_ssh else "",
        "git.mountsshsock": (ssh_socket or "default") if is_ssh else "",
        "git.checksum": checksum,
        "git.skipsubmodules": "true" if skip_submodules else "",
        "git.mtime": mtime,
        "git.fetchbycommit": "true" if fetch_by_commit else "",
    }
    caps = {
        "source.git": True,
        "source.git.keepgitdir": keep_git_dir,
        "source.git.fullurl": True,
        "source.git.httpauth": bool(auth_token_secret or auth_header_secret),
        "source.git.knownsshhosts": is_ssh,
        "source.git.mountsshsock": is_ssh,
        "source.git.checksum": bool(checksum),
        "source.git.skipsubmodules": skip_submodules,
        "source.git.mtime": bool(mtime),
        "source.git.fetchbycommit": fetch_by_commit,
    }
    return _source(identifier, attrs, caps)


_URL = re.compile(
    r"(?P<scheme>https?|ssh|git)://(?:(?P<user>[^@/]*)@)?(?P<host>[^/?#@\s]+)(?P<path>/[^?#\s]+)"
)
_SCP = re.compile(r"(?:[^@/:\s]+@)?(?P<host>[A-Za-z0-9.-]+):(?P<path>[^#?\s]+)")


def git_remote(remote: str) -> tuple[str, str, str, bool]:
    """Split the address of a git repository into address, host, path, and whether it is reached by ssh.

    `host/path` without a scheme is https. The host keeps its port but not its user. Raises `UserError`.
    """
    for text in (remote,) if "://" in remote else (remote, "https://" + remote):
        if match := _URL.fullmatch(text):
            return text, match["host"], match["path"], match["scheme"] == "ssh"
        if "://" not in text and "@" in text and (match := _SCP.fullmatch(text)):
            return text, match["host"], match["path"], True
    raise UserError(
        f"not the address of a git repository: {remote!r}",
        help="write https://HOST/PATH, ssh://USER@HOST/PATH, git://HOST/PATH or USER@HOST:PATH; "
        "branch, tag and subdirectory are given apart",
    )


def json_list(words: Iterable[str]) -> str:
    """Encode words as a JSON array like Go's encoder (`<`, `>`, `&` and U+2028/9 escaped); "" for no words."""
    words = list(words)
    if not words:
        return ""
    text = json.dumps(words, ensure_ascii=False, separators=(",", ":"))
    return _GO_ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


_GO_ESCAPED = re.compile("[<>&\u2028\u2029]")
