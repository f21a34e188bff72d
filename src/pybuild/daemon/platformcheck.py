"""Compares the platforms of a result with the requested ones. A mismatch is a warning only."""

from __future__ import annotations

from collections.abc import Mapping

from pybuild.compiler import platforms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.compiler.ops import Platform


def mismatch(options: Mapping[str, str], made: Sequence[Platform], *, several: bool) -> list[str]:
    """Return the warnings about a result for the platforms `made` of a frontend that was called with `options`, in
    BuildKit's words. `several` is true if the result has a state for each platform."""
    wanted = options.get("platform", "")
    if not wanted or "requestid" in options:
        return []
    asked: dict[str, None] = {}
    said = []
    for word in wanted.split(","):
        try:
            name = platforms.format_all(platforms.normalize(platforms.parse(word)))
        except platforms.BadPlatform as error:
            said.append(f'Invalid platform result requested "{word}": {error.diagnostic.title}')
            continue
        if name in asked:
            said.append(f'Duplicate platform result requested "{word}"')
        asked[name] = None
    found = [platforms.format_all(platforms.normalize(one)) for one in made]
    if said or set(asked) == set(found):
        return said
    if len(asked) == len(found) == 1:
        return [f'Requested platform "{wanted}" does not match result platform "{found[0]}"']
    if not several and len(asked) > 1:
        return ["Multiple platforms requested but result is not multi-platform"]
    return [
        f"Requested platforms {','.join(sorted(asked))} do not match result platforms {','.join(sorted(found))}"
    ]
