"""Load a registered frontend and call it; every mistake of it becomes an error that names it.

A frontend runs in this process with the rights of the user. It is loaded after the build's namespaces were entered,
as its modules may start threads.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import DEBUG, UserError
from pybuild.plugins import problems
from pybuild.plugins.exception_origin import is_of_machine, place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pybuild.compiler.bridge import Bridge
    from pybuild.compiler.frontend import Built, Frontend, FrontendInputs
    from pybuild.lang.source import Span
    from pybuild.plugins.registered import Registered


def load(found: Registered, version: str, span: Span | None = None) -> Frontend:
    """Load a frontend. Raises UserError for an entry point that can't be loaded or is no frontend, and for a
    `version`, from the syntax line at `span`, that it doesn't know."""
    try:
        loaded: Any = found.entry.load()
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise problems.not_loaded(found, error, place_of(error, found.entry.module), DEBUG) from error
    if isinstance(loaded, type):
        raise problems.no_frontend(found, f"the class {loaded.__name__}, not an object of it")
    if not callable(getattr(loaded, "build", None)):
        raise problems.no_frontend(found, f"{_described(loaded)}, which has no function `build`")
    versions: object = getattr(loaded, "versions", None)
    if versions is not None:
        if not _texts(versions):
            raise problems.wrong_versions(found, _described(versions))
        known = list(versions)  # type: ignore[call-overload]
        if known and version not in known:
            raise problems.unknown_version(found, version, known, span)
    frontend: Frontend = loaded
    return frontend


def call(found: Registered, frontend: Frontend, bridge: Bridge, inputs: FrontendInputs) -> Built:
    """Call the frontend and check the types of all parts of its result. Raises UserError."""
    try:
        built: object = frontend.build(bridge, inputs)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        if is_of_machine(error):
            raise
        raise problems.raised(found, error, place_of(error, found.entry.module), DEBUG) from error
    return checked(found, built, inputs)


def checked(found: Registered, built: object, inputs: FrontendInputs) -> Built:
    """Return `built` if it is a valid result of a frontend. Raises FrontendFailed."""
    from pybuild.compiler.frontend import Built, BuiltImage
    from pybuild.compiler.image import Image
    from pybuild.compiler.state import State

    if not isinstance(built, Built):
        raise problems.wrong_result(found, "", _described(built), "a function that returns a Built")
    if not built.images:
        raise problems.no_images(found)
    for number, one in enumerate(built.images):
        place = f"images[{number}]"
        parts: Sequence[tuple[str, object, type]] = ((place, one, BuiltImage),)
        if isinstance(one, BuiltImage):
            parts = (
                (f"{place}.state", one.state, State),
                (f"{place}.image", one.image, Image),
                (f"{place}.base_config", one.base_config or b"", bytes),
            )
        for where, value, wanted in parts:
            if not isinstance(value, wanted):
                raise problems.wrong_result(found, where, _described(value), _article(wanted.__name__))
    _check_platforms(found, built)
    return built


def _check_platforms(found: Registered, built: Built) -> None:
    from pybuild.compiler import platforms

    made: list[str] = []
    for one in built.images:
        if not one.image.os or not one.image.architecture:
            raise problems.no_platform(found)
        name = platforms.format(platforms.normalize(one.image.platform))
        if name in made:
            raise problems.one_platform_twice(found, name)
        made.append(name)


def _texts(value: object) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(one, str) for one in value)


def _described(value: object) -> str:
    return "None" if value is None else _article(type(value).__name__)


def _article(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"
