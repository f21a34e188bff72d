"""Rules about attestation manifests: in-toto statements about another manifest of their index, as BuildKit stores
them (docs/attestations/attestation-storage.md of moby/buildkit)."""

from __future__ import annotations

from pybuild.runtime.verify.descriptors import EMPTY, STATEMENT
from pybuild.runtime.verify.findings import quoted
from pybuild.runtime.verify.jsontext import decode_object
from pybuild.runtime.verify.limits import LONGEST_STATEMENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pybuild.runtime.verify.descriptors import Descriptor

    Small = Callable[[str, Descriptor, str, int], bytes | None]
    """Reads a blob: its name in messages, descriptor, path and the most bytes. None if it can't be had."""

_REFERENCE_TYPE = "vnd.docker.reference.type"
_REFERENCE = "vnd.docker.reference.digest"
_PREDICATE = "in-toto.io/predicate-type"


def is_attestation(layers: Sequence[Descriptor]) -> bool:
    """Return whether a manifest's layers are statements."""
    return {layer.media_type for layer in layers} == {STATEMENT}


def attestation_problems(
    listed: Descriptor,
    siblings: Sequence[Descriptor],
    config: Descriptor,
    layers: Sequence[Descriptor],
    path: str,
    small: Small,
) -> Iterator[str]:
    """Yield what is wrong with an attestation manifest, which `listed` among its `siblings` in an index describes."""
    if dict(listed.platform or {}) != {"architecture": "unknown", "os": "unknown"}:
        yield "is listed for a platform, but is for none"
    if listed.annotations.get(_REFERENCE_TYPE) != "attestation-manifest":
        yield "is not listed as an attestation manifest"
    about = listed.annotations.get(_REFERENCE, "")
    if about not in {one.digest for one in siblings}:
        yield f"is about {quoted(about)}, which its index does not list"
    yield from _config_problems(config, layers, path, small)
    for number, layer in enumerate(layers):
        data = small(f"statement {layer.digest}", layer, f"{path} > layers[{number}]", LONGEST_STATEMENT)
        if data is not None:
            yield from _statement_problems(layer, data)


def _config_problems(
    config: Descriptor, layers: Sequence[Descriptor], path: str, small: Small
) -> Iterator[str]:
    from pybuild.runtime.verify.configs import Config
    from pybuild.runtime.verify.limits import LONGEST_JSON

    data = small(f"config {config.digest}", config, f"{path} > config", LONGEST_JSON)
    if data is None or config.media_type == EMPTY:
        return
    try:
        ids = Config(data).diff_ids
    except ValueError as error:
        yield f"has a config that is none: {error}"
        return
    if ids != [layer.digest for layer in layers]:
        yield "has other diff IDs than the digests of its statements"


def _statement_problems(layer: Descriptor, data: bytes) -> Iterator[str]:
    try:
        statement = decode_object(data)
    except ValueError as error:
        yield f"has a statement that is none: {layer.digest}: {error}"
        return
    kind = statement.get("predicateType")
    if kind != layer.annotations.get(_PREDICATE):
        shown = quoted(kind) if isinstance(kind, str) else "none"
        yield f"lists the statement {layer.digest} under another type than its {shown}"
    if not isinstance(statement.get("subject", []), list):
        yield f"has the statement {layer.digest} about a subject that is no list"
