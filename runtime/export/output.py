"""Values of `--output`: buildx's grammar, each type with its own keys."""

from __future__ import annotations

from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import UsageError, suggest
from pybuild.runtime.export.destination import STDOUT, check_directory, check_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.compiler.reference import Reference
    from pybuild.runtime.export.receiver import Receiver
    from pybuild.runtime.image.annotations import Annotations
    from pybuild.runtime.image.assemble import ImageOptions

_IMAGE_KEYS = frozenset(
    {
        "name",
        "compression",
        "compression-level",
        "force-compression",
        "oci-mediatypes",
        "rewrite-timestamp",
        "source-date-epoch",
    }
)
KEYS: Mapping[str, frozenset[str]] = {
    "oci": _IMAGE_KEYS | {"dest", "tar"},
    "docker": _IMAGE_KEYS | {"dest", "tar"},
    "image": _IMAGE_KEYS
    | {
        "push",
        "push-by-digest",
        "registry.insecure",
        "name-canonical",
        "dangling-name-prefix",
        "store",
        "unpack",
    },
    "local": frozenset({"dest", "platform-split", "mode", "source-date-epoch"}),
    "tar": frozenset({"dest", "platform-split", "source-date-epoch"}),
    "none": frozenset(),
}
"""Output types and the keys of each. `registry` is `image` with `push=true`, `cacheonly` is `none`."""

REFUSED = {
    "context": "loading through a Docker context is not supported; set DOCKER_HOST",
    "attestation-inline": "attestations are not supported",
    "attestation-prefix": "attestations are not supported",
    "oci-artifact": "attestations are not supported",
    "prefer-nondist-layers": "layers are always distributable here",
    "buildinfo": "build information in image configs was dropped by BuildKit as well",
    "nydus-fs-version": "nydus images are not supported",
}
"""Keys of buildx that are refused by name, with the reason."""


class Output:
    """A requested export: `type` (a key of KEYS), `dest` (a path, `-` for standard output, "" for none) and
    the other `attributes` as they were written. `receiver` takes it instead of `dest`."""

    __slots__ = ("_receiver", "attributes", "dest", "type")

    def __init__(
        self,
        type: str,
        dest: str = "",
        attributes: Mapping[str, str] | None = None,
        *,
        receiver: Receiver | None = None,
    ) -> None:
        self.type = type
        self.dest = dest
        self.attributes = dict(attributes or {})
        self._receiver = receiver

    @property
    def placed(self) -> bool:
        """True if the output has a destination."""
        return bool(self.dest) or self._receiver is not None

    @property
    def receiver(self) -> Receiver:
        """The receiver of the output."""
        from pybuild.runtime.export.place import Place

        return self._receiver or Place(self.dest)

    def flag(self, key: str, default: bool = False) -> bool:
        """Return the value of a boolean key. Raises UsageError for anything else; an empty value means
        true."""
        text = self.attributes.get(key)
        if text is None:
            return default
        return boolean(f"{key}={text}", text or "true")

    @property
    def names(self) -> list[str]:
        """The requested names, split at commas and not checked."""
        return [name.strip() for name in self.attributes.get("name", "").split(",") if name.strip()]

    def epoch(self, default: int | None = None) -> int | None:
        """Return the SOURCE_DATE_EPOCH of this output: its own key, else `default`."""
        text = self.attributes.get("source-date-epoch", "")
        return source_date_epoch(text) if text else default

    def check(self) -> None:
        """Raise UsageError when the destination can't work, before anything is built."""
        if self.type == "local" or (self.type in ("oci", "docker") and not self.flag("tar", True)):
            check_directory(self.dest, self.type)
        elif self.dest:
            check_file(self.dest, self.type)

    def image_options(
        self,
        *,
        epoch: int | None = None,
        annotations: Annotations | None = None,
        names: Sequence[Reference] = (),
    ) -> ImageOptions:
        """Return the options for this output's image; `epoch`, `annotations` and the image's `names` belong
        to the whole build. Raises UsageError for values that don't fit."""
        from pybuild.runtime.image.annotations import parse_option
        from pybuild.runtime.image.assemble import ImageOptions
        from pybuild.runtime.image.compression import Compression

        level = self.attributes.get("compression-level")
        if level is not None and not level.removeprefix("-").isdigit():
            raise UsageError(f"compression-level={level} is not a number", help="use a number from 0 to 22")
        for key, value in self.attributes.items():
            own = parse_option(key, value)
            if own is not None:
                annotations = own if annotations is None else annotations + own
        return ImageOptions(
            compression=Compression(
                self.attributes.get("compression") or "gzip", None if level is None else int(level)
            ),
            force=self.flag("force-compression"),
            epoch=self.epoch(epoch),
            rewrite=self.flag("rewrite-timestamp"),
            oci=self.flag("oci-mediatypes", self.type == "oci"),
            annotations=annotations,
            inline=self.flag("attestation-inline", self.type == "image"),
            artifact=self.flag("oci-artifact"),
            names=names,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Output) and (self.type, self.dest, self.attributes) == (
            other.type,
            other.dest,
            other.attributes,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Output({self.type!r}, {self.dest!r}, {self.attributes!r})"


def parse_output(text: str) -> Output:
    """Parse a value of `--output`: `type=TYPE[,KEY=VALUE…]` as one CSV record, `-` for a tar archive on
    standard output, anything without `type=` and `,` for a local directory. Raises UsageError."""
    fields = split_csv(text)
    if len(fields) == 1 and fields[0] == text and not text.startswith("type="):
        if not text:
            raise UsageError("--output is empty", help="give a directory or type=TYPE,…")
        return Output("tar", STDOUT) if text == STDOUT else Output("local", text)
    attributes: dict[str, str] = {}
    for field in fields:
        key, equals, value = field.partition("=")
        if not equals:
            raise UsageError(
                f"invalid --output {text!r}: {field!r} is no KEY=VALUE", help="write type=TYPE,…"
            )
        attributes[key.strip().lower()] = value
    type = attributes.pop("type", "")
    if not type:
        raise UsageError(f"invalid --output {text!r}: it has no type", help="add type=local or another type")
    if type == "registry":
        type = "image"
        attributes.setdefault("push", "true")
    elif type == "cacheonly":
        type = "none"
    if type not in KEYS:
        near = suggest(type, [*KEYS, "registry", "cacheonly"])
        raise UsageError(
            f"unknown output type {type!r}",
            help=f"did you mean {near}?" if near else f"use one of {', '.join(KEYS)}, registry, cacheonly",
        )
    _check_keys(type, attributes)
    return _checked(Output(type, attributes.pop("dest", ""), attributes))


def _check_keys(type: str, attributes: Mapping[str, str]) -> None:
    from pybuild.runtime.image.annotations import parse_option

    for key in attributes:
        if key in KEYS[type] or ("name" in KEYS[type] and parse_option(key, "") is not None):
            continue
        if key in REFUSED:
            raise UsageError(f"output key {key!r} of type={type}: {REFUSED[key]}")
        near = suggest(key, KEYS[type])
        known = ", ".join(sorted(KEYS[type])) or "none"
        raise UsageError(
            f"unknown key {key!r} for output type={type}",
            help=f"did you mean {near}?" if near else f"its keys are: {known}",
        )


def _checked(output: Output) -> Output:
    """Return the output with defaults filled in and values checked."""
    for key in ("tar", "push", "force-compression", "oci-mediatypes", "rewrite-timestamp", "platform-split"):
        output.flag(key)
    if output.type in ("oci", "tar") and not output.dest:
        output.dest = STDOUT
    unpacked = output.type in ("oci", "docker") and not output.flag("tar", True)
    if (output.type == "local" and not output.dest) or (unpacked and output.dest in ("", STDOUT)):
        raise UsageError(f"type={output.type} needs a destination", help="add dest=DIRECTORY")
    mode = output.attributes.get("mode", "copy")
    if mode != "copy":
        raise UsageError(
            f"mode={mode} of type=local is not supported: an export deletes no files",
            help="leave it out, and remove the directory yourself where you want it empty",
        )
    if output.type in ("oci", "docker", "image") and "rewrite-timestamp" not in output.attributes:
        output.image_options()
    return output


def split_csv(text: str) -> list[str]:
    """Return the fields of one CSV record: commas between, fields with a comma in double quotes, a quote in
    them doubled. Raises UsageError."""
    fields = []
    at = 0
    while True:
        if text[at : at + 1] == '"':
            field, at = _quoted(text, at + 1)
        else:
            end = text.find(",", at)
            end = len(text) if end < 0 else end
            field = text[at:end]
            if '"' in field:
                raise UsageError(
                    f"invalid value {text!r}: a quote in the middle of a field",
                    help="put the whole field in double quotes, and double those inside",
                )
            at = end
        fields.append(field)
        if at >= len(text):
            return fields
        at += 1


def _quoted(text: str, at: int) -> tuple[str, int]:
    parts = []
    while True:
        end = text.find('"', at)
        if end < 0:
            raise UsageError(f"invalid value {text!r}: a quote is not closed", help="close the double quote")
        parts.append(text[at:end])
        if text[end + 1 : end + 2] != '"':
            break
        parts.append('"')
        at = end + 2
    if end + 1 < len(text) and text[end + 1] != ",":
        raise UsageError(
            f"invalid value {text!r}: text after a closing quote", help="put a comma between fields"
        )
    return "".join(parts), end + 1


def boolean(what: str, text: str) -> bool:
    """Parse a truth value in Go's spellings (`strconv.ParseBool`). Raises UsageError."""
    on = truth(text)
    if on is None:
        raise UsageError(f"{what} is neither true nor false", help="write true or false")
    return on


def source_date_epoch(text: str) -> int:
    """Parse seconds since the epoch. Raises UsageError."""
    if not text.removeprefix("-").isdigit() or not text.isascii():
        raise UsageError(f"SOURCE_DATE_EPOCH is not a number of seconds: {text!r}", help="use date +%s")
    return int(text)
