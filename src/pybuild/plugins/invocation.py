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


def load(registration: Registered, version: str, span: Span | None = None) -> Frontend:
    """Load a frontend. Raises UserError for an entry point that can't be loaded or is no frontend, and for a
    `version`, from the syntax line at `span`, that it doesn't know."""
    try:
        loaded: Any = registration.entry.load()
    except UserError:
        raise
    # A package that calls sys.exit makes a mistake; it must not end the build.
    except (Exception, SystemExit) as error:
        raise problems.not_loaded(
            registration, error, place_of(error, registration.entry.module), DEBUG
        ) from error
    if isinstance(loaded, type):
        raise problems.no_frontend(registration, f"the class {loaded.__name__}, not an object of it")
    if not callable(getattr(loaded, "build", None)):
        raise problems.no_frontend(registration, f"{_describe(loaded)}, which has no function `build`")
    versions: object = getattr(loaded, "versions", None)
    if versions is not None:
        if not _texts(versions):
            raise problems.wrong_versions(registration, _describe(versions))
        known_versions = list(versions)  # type: ignore[call-overload]
        if known_versions and version not in known_versions:
            raise problems.unknown_version(registration, version, known_versions, span)
    frontend: Frontend = loaded
    return frontend


def call(registration: Registered, frontend: Frontend, bridge: Bridge, inputs: FrontendInputs) -> Built:
    """Call the frontend and check the types of all parts of its result. Raises UserError."""
    try:
        built: object = frontend.build(bridge, inputs)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        if is_of_machine(error):
            raise
        raise problems.raised(
            registration, error, place_of(error, registration.entry.module), DEBUG
        ) from error
    return check_result(registration, built, inputs)


def check_result(registration: Registered, built: object, inputs: FrontendInputs) -> Built:
    """Return `built` if it is a valid result of a frontend. Raises FrontendFailed."""
    from pybuild.compiler.frontend import Built, BuiltImage
    from pybuild.compiler.image import Image
    from pybuild.compiler.state import State

    if not isinstance(built, Built):
        raise problems.wrong_result(registration, "", _describe(built), "a function that returns a Built")
    if not built.images:
        raise problems.no_images(registration)
    for number, image in enumerate(built.images):
        place = f"images[{number}]"
        parts: Sequence[tuple[str, object, type]] = ((place, image, BuiltImage),)
        if isinstance(image, BuiltImage):
            parts = (
                (f"{place}.state", image.state, State),
                (f"{place}.image", image.image, Image),
                (f"{place}.base_config", image.base_config or b"", bytes),
            )
        for part, value, expected in parts:
            if not isinstance(value, expected):
                raise problems.wrong_result(registration, part, _describe(value), _article(expected.__name__))
    _check_platforms(registration, built)
    return built


def _check_platforms(registration: Registered, built: Built) -> None:
    from pybuild.compiler import platforms

    seen: list[str] = []
    for image in built.images:
        if not image.image.os or not image.image.architecture:
            raise problems.no_platform(registration)
        name = platforms.format(platforms.normalize(image.image.platform))
        if name in seen:
            raise problems.one_platform_twice(registration, name)
        seen.append(name)


def _texts(value: object) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(text, str) for text in value)


def _describe(value: object) -> str:
    return "None" if value is None else _article(type(value).__name__)


def _article(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"
