"""The outputs of a build, exported one after the other."""

from __future__ import annotations

from pybuild.runtime.progress.observer import Tracked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.runtime.export.build import Build
    from pybuild.runtime.export.output import Output

    Exporter = Callable[[Output, Build, Tracked], dict[str, object]]

TITLES = {
    "oci": "exporting to oci image format",
    "docker": "exporting to docker image format",
    "image": "exporting to image",
    "local": "exporting to client directory",
    "tar": "exporting to client tarball",
}
"""Names of the vertices, as BuildKit shows them."""


def export_all(outputs: Sequence[Output], build: Build) -> list[dict[str, object]]:
    """Export `outputs` in order and return the metadata of each. Their images share blobs.

    Raises the first failure, after which no further output is begun; those done stay done.
    """
    return [export(output, build) for output in outputs]


def export(output: Output, build: Build, digest: str | None = None) -> dict[str, object]:
    """Export one output and show it as the vertex `digest`, which is derived from its title by default.
    Raises UserError: what its exporter raises."""
    if output.type == "none":
        return {}
    exporter = _exporter(output.type)
    with Tracked(build.observer, TITLES[output.type], digest) as tracked:
        return exporter(output, build, tracked)


def _exporter(type: str) -> Exporter:
    if type == "oci":
        from pybuild.runtime.export.oci import export
    elif type == "docker":
        from pybuild.runtime.export.docker import export
    elif type == "image":
        from pybuild.runtime.export.image import export
    elif type == "local":
        from pybuild.runtime.export.local import export
    elif type == "tar":
        from pybuild.runtime.export.tar import export
    else:
        raise ValueError(f"no exporter of type {type}")
    return export
