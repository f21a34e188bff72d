"""Compares the platforms of a result with the requested ones. A mismatch is a warning only."""

from __future__ import annotations

from collections.abc import Mapping

from pybuild.compiler import platforms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.compiler.ops import Platform


def mismatch(options: Mapping[str, str], returned: Sequence[Platform], *, several: bool) -> list[str]:
    """Return the warnings, in BuildKit's words, about a result for the platforms `returned` of a frontend that was
    called with `options`. `several` is true if the result has a state for each platform."""
    text = options.get("platform", "")
    if not text or "requestid" in options:
        return []
    requested: dict[str, None] = {}
    warnings = []
    for word in text.split(","):
        try:
            name = platforms.format_all(platforms.normalize(platforms.parse(word)))
        except platforms.BadPlatform as error:
            warnings.append(f'Invalid platform result requested "{word}": {error.diagnostic.title}')
            continue
        if name in requested:
            warnings.append(f'Duplicate platform result requested "{word}"')
        requested[name] = None
    results = [platforms.format_all(platforms.normalize(platform)) for platform in returned]
    if warnings or set(requested) == set(results):
        return warnings
    if len(requested) == len(results) == 1:
        return [f'Requested platform "{text}" does not match result platform "{results[0]}"']
    if not several and len(requested) > 1:
        return ["Multiple platforms requested but result is not multi-platform"]
    return [
        f"Requested platforms {','.join(sorted(requested))} do not match result platforms {','.join(sorted(results))}"
    ]
