"""Attributes of exporters, as BuildKit's clients write them, and the outputs they stand for.

As with BuildKit an exporter ignores unknown attributes, and an empty flag is true. Bad values are refused in
BuildKit's words.
"""

from __future__ import annotations

from pybuild.compiler import reference
from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import UsageError, UserError
from pybuild.runtime.export.output import Output
from pybuild.runtime.image.compression import LEVELS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.runtime.export.receiver import Receiver

IMAGE, OCI, DOCKER, LOCAL, TAR = "image", "oci", "docker", "local", "tar"
TYPES = (IMAGE, OCI, DOCKER, LOCAL, TAR)
IMAGES = (IMAGE, OCI, DOCKER)
"""The types of exporters that make an image."""
OCI_BY_DEFAULT = 30
"""The compatibility version from which images have OCI media types by default."""

_IMAGE_FLAGS = (
    "oci-mediatypes",
    "oci-artifact",
    "rewrite-timestamp",
    "attestation-inline",
    "prefer-nondist-layers",
)
_FLAGS: Mapping[str, tuple[str, ...]] = {
    IMAGE: (
        *_IMAGE_FLAGS,
        "push",
        "push-by-digest",
        "registry.insecure",
        "unpack",
        "store",
        "name-canonical",
    ),
    OCI: (*_IMAGE_FLAGS, "tar"),
    DOCKER: (*_IMAGE_FLAGS, "tar"),
    LOCAL: (),
    TAR: (),
}
_FULL_FLAGS: Mapping[str, tuple[str, ...]] = {
    LOCAL: ("platform-split",),
    TAR: ("platform-split", "prefer-nondist-layers"),
}
"""Flags that must not be empty."""
_UNSUPPORTED = ("estargz", "zstd:chunked")


def check(type: str, attributes: Mapping[str, str]) -> None:
    """Check an exporter's type and attributes. Raises UserError."""
    if type not in TYPES:
        raise UserError(f'exporter "{type}" could not be found', help="choose one of " + ", ".join(TYPES))
    from pybuild.frontends.results import annotations_of

    annotations_of({name: value.encode() for name, value in attributes.items()})
    _check_epoch(attributes.get("source-date-epoch", ""))
    for name in _FULL_FLAGS.get(type, ()):
        if name in attributes and truth(attributes[name]) is None:
            raise UsageError(f"non-bool value for {name}: {attributes[name]}: {_no_bool(attributes[name])}")
    for name in _FLAGS[type]:
        value = attributes.get(name, "")
        if value and truth(value) is None:
            raise UsageError(f"non-bool value specified for {name}: {_no_bool(value)}")
    if type in IMAGES:
        _check_image(attributes)


def _check_image(attributes: Mapping[str, str]) -> None:
    compression, level = attributes.get("compression", "gzip"), attributes.get("compression-level")
    force = attributes.get("force-compression", "")
    if compression in _UNSUPPORTED:
        raise UsageError(
            f"compression={compression} is not supported by this daemon",
            help="give gzip, zstd or uncompressed",
        )
    if compression not in LEVELS:
        raise UsageError(
            f"unsupported compression type {compression}", help="give gzip, zstd or uncompressed"
        )
    if force and truth(force) is None:
        raise UsageError(f"non-bool value {force} specified for force-compression: {_no_bool(force)}")
    if level is not None and not _is_integer(level):
        raise UsageError(f"non-integer value {level} specified for compression-level: {_no_integer(level)}")
    if _on(attributes, "oci-artifact") and _off(attributes, "oci-mediatypes"):
        raise UsageError('exporter option "oci-artifact=true" conflicts with "oci-mediatypes=false"')
    for name in attributes.get("name", "").split(","):
        if name not in ("", "*"):
            _parse_name(name)


def _parse_name(name: str) -> reference.Reference:
    try:
        return reference.parse(name)
    except reference.InvalidReference as error:
        raise UsageError(f"failed to parse {name}: {error.diagnostic.title}") from None


def output(
    type: str,
    attributes: Mapping[str, str],
    receiver: Receiver,
    *,
    compatibility: int = 0,
    attested: bool = False,
    rewritable: bool = True,
    name: str = "",
) -> Output:
    """Return the output of an exporter with checked attributes, apart from annotations; `receiver` takes it.
    `compatibility` is the requested compatibility version, 0 for the latest; `attested` says whether there are
    attestations; without `rewritable` there is no time to rewrite timestamps to. `name` is the frontend's name for
    the image."""
    options = {key: value for key, value in attributes.items() if not key.startswith("annotation")}
    if type in IMAGES:
        oci = type == OCI or compatibility == 0 or compatibility >= OCI_BY_DEFAULT or attested
        options.setdefault("oci-mediatypes", "true" if oci else "false")
        modern = compatibility == 0 or compatibility >= OCI_BY_DEFAULT
        options.setdefault(
            "oci-artifact", "true" if modern and not _off(options, "oci-mediatypes") else "false"
        )
        if options.get("name") == "*":
            options["name"] = name
        if not rewritable:
            options["rewrite-timestamp"] = "false"
    if type == IMAGE:
        options["store"] = "false"
        if not (_on(options, "push") and options.get("name")):
            options["push"] = options["push-by-digest"] = "false"
    options.pop("dest", None)
    return Output(type, attributes=options, receiver=receiver)


def _on(attributes: Mapping[str, str], name: str) -> bool:
    return name in attributes and truth(attributes[name] or "true") is True


def _off(attributes: Mapping[str, str], name: str) -> bool:
    return name in attributes and truth(attributes[name] or "true") is False


def _check_epoch(text: str) -> None:
    if text and not _is_integer(text):
        raise UsageError(f"invalid source-date-epoch: {_no_integer(text)}", help="give seconds since 1970")


def _is_integer(text: str) -> bool:
    digits = text[1:] if text[:1] in ("+", "-") else text
    return digits.isascii() and digits.isdecimal() and len(digits) < 19


def _no_bool(text: str) -> str:
    return f'strconv.ParseBool: parsing "{text}": invalid syntax'


def _no_integer(text: str) -> str:
    return f'strconv.ParseInt: parsing "{text}": invalid syntax'
