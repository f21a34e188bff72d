"""Package URLs, the names of images in attestations (`pkg:docker/library@tag?platform=linux%2Famd64`)."""

from __future__ import annotations

from pybuild.compiler.reference import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def package_url(type: str, ref: Reference, platform: Mapping[str, object] | None = None) -> str:
    """Return the package URL of an image of type `docker` or `oci`, for a platform (the JSON object of an
    index entry)."""
    qualifiers = []
    if ref.digest is not None:
        qualifiers.append(("digest", ref.digest))
    elif not ref.tag:
        ref = ref.with_tag("latest")
    if platform is not None:
        names = ("os", "architecture", "variant")
        shown = "/".join(str(platform[name]) for name in names if platform.get(name))
        qualifiers.append(("platform", shown))
    path = "/".join(map(_escaped, Reference(ref.domain, ref.path).familiar.split("/")))
    version = f"@{_escaped(ref.tag)}" if ref.tag else ""
    query = "&".join(f"{key}={_escaped(value)}" for key, value in qualifiers)
    return f"pkg:{type}/{path}{version}" + (f"?{query}" if query else "")


def _escaped(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
