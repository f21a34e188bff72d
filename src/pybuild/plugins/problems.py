"""Errors of frontends of installed packages: one constructor for each message."""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import Diagnostic, Label, UsageError, UserError, source_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.lang.source import Span
    from pybuild.plugins.registered import Registered


class FrontendFailed(UserError):
    """A broken frontend of an installed package: it can't be loaded, raises something other than a UserError,
    or returns no valid result."""


def unreadable_metadata(error: Exception) -> UsageError:
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    return UsageError(
        f"the frontends that installed packages register can't be read: {text}",
        help="a package's entry_points.txt may be damaged: look with pip check, and install it again",
    )


def built_in(frontend: Registered) -> UsageError:
    return UsageError(
        f"the package {frontend.owner} registers the frontend {frontend.name}, which is the name of a built-in one",
        help=f"remove the package {frontend.package}, or have it register another name",
    )


def registered_twice(frontends: Sequence[Registered]) -> UsageError:
    owners = " and ".join(frontend.owner for frontend in frontends)
    return UsageError(
        f"the frontend {frontends[0].name} is registered twice: by {owners}",
        help="remove one of them: pip uninstall PACKAGE",
    )


def not_for_plugins(file: str, frontend: Registered) -> UsageError:
    return UsageError(
        f"{file} is built by the frontend {frontend.name} of the package {frontend.owner}, and this command is for "
        "Dockerfiles and files of the language",
        help="pybuild build and pybuild graph take every frontend",
    )


def one_target(frontend: Registered, targets: Sequence[str]) -> UsageError:
    return UsageError(
        f"the frontend {frontend.name} builds one target, not {' and '.join(targets)}",
        help="build one after the other",
    )


def flag_of_others(frontend: Registered, flag: str, owner: str) -> UsageError:
    return UsageError(
        f"{flag} is for {owner}, not for the frontend {frontend.name}",
        help="values for a frontend are given with --build-arg NAME=VALUE",
    )


def unknown_version(
    frontend: Registered, version: str, known_versions: Sequence[str], span: Span | None
) -> UserError:
    """`span` is the syntax line; None if the command line requires the version."""
    wrong = f"has no version {version}" if version else "is named without a version"
    title = f"the frontend {frontend.name} of the package {frontend.owner} {wrong}"
    help = f"write {frontend.name}:{known_versions[-1]}" + (
        f" (it knows {', '.join(known_versions)})" if len(known_versions) > 1 else ""
    )
    return UsageError(title, help=help) if span is None else source_error(title, span, help=help)


def not_loaded(frontend: Registered, error: BaseException, span: Span | None, debug: str) -> FrontendFailed:
    return _broken(frontend, "can't be loaded", error, span, debug)


def raised(frontend: Registered, error: BaseException, span: Span | None, debug: str) -> FrontendFailed:
    return _broken(frontend, "failed", error, span, debug)


def no_frontend(frontend: Registered, description: str) -> FrontendFailed:
    return _wrong(
        frontend,
        f"is {description}",
        "its entry point must name an object, or a module, with a function `build`",
    )


def wrong_versions(frontend: Registered, description: str) -> FrontendFailed:
    return _wrong(frontend, f"has versions that are {description}", 'write versions = ("1",)')


def wrong_result(frontend: Registered, part: str, description: str, expected: str) -> FrontendFailed:
    """`part` is the place in the returned value, "" for all of it."""
    place = f" in {part}" if part else ""
    return _wrong(frontend, f"returned {description}{place}", f"{part or '`build`'} must be {expected}")


def no_images(frontend: Registered) -> FrontendFailed:
    return _wrong(frontend, "returned no image", "`Built.images` has one for each of `inputs.platforms`")


def no_platform(frontend: Registered) -> FrontendFailed:
    return _wrong(
        frontend,
        "returned an image of no platform",
        "start from `inputs.base`, or from `image.empty(platform)`",
    )


def one_platform_twice(frontend: Registered, platform: str) -> FrontendFailed:
    return _wrong(frontend, f"returned two images for {platform}", "`Built.images` has one for each platform")


def other_platforms(frontend: Registered, platforms: Sequence[str], requested: Sequence[str]) -> UserError:
    """Not a bug of the package: the frontend may not support the platforms."""
    return UserError(
        f"the frontend {frontend.name} made {' and '.join(platforms)}, and {' and '.join(requested)} was asked for",
        help=f"leave out --platform, or ask the authors of {frontend.package} for it",
    )


def _wrong(frontend: Registered, problem: str, help: str) -> FrontendFailed:
    return FrontendFailed(
        f"the frontend {frontend.name} of the package {frontend.owner} {problem}",
        help=f"this is a bug in {frontend.package}: {help}",
    )


def _broken(
    frontend: Registered, problem: str, error: BaseException, span: Span | None, debug: str
) -> FrontendFailed:
    """`span` is the place in the package; `debug` names the variable that adds the traceback."""
    text = " ".join(str(error).split())
    cause = f"{type(error).__name__}: {text}" if text else type(error).__name__
    notes = [("note", f"this is a bug in {frontend.package}, not in your build file")]
    if os.environ.get(debug) == "1":
        from traceback import format_exception

        notes.append(("traceback", "\n" + "".join(format_exception(error)).rstrip()))
    else:
        notes.append(("help", f"report it to its authors, with what {debug}=1 adds"))
    return FrontendFailed(
        Diagnostic(
            f"the frontend {frontend.name} of the package {frontend.owner} {problem}: {cause}",
            labels=[Label(span)] if span is not None else [],
            notes=notes,
        )
    )
