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


def built_in(found: Registered) -> UsageError:
    return UsageError(
        f"the package {found.owner} registers the frontend {found.name}, which is the name of a built-in one",
        help=f"remove the package {found.package}, or have it register another name",
    )


def registered_twice(found: Sequence[Registered]) -> UsageError:
    owners = " and ".join(one.owner for one in found)
    return UsageError(
        f"the frontend {found[0].name} is registered twice: by {owners}",
        help="remove one of them: pip uninstall PACKAGE",
    )


def not_for_plugins(file: str, found: Registered) -> UsageError:
    return UsageError(
        f"{file} is built by the frontend {found.name} of the package {found.owner}, and this command is for "
        "Dockerfiles and files of the language",
        help="pybuild build and pybuild graph take every frontend",
    )


def one_target(found: Registered, targets: Sequence[str]) -> UsageError:
    return UsageError(
        f"the frontend {found.name} builds one target, not {' and '.join(targets)}",
        help="build one after the other",
    )


def flag_of_others(found: Registered, flag: str, whose: str) -> UsageError:
    return UsageError(
        f"{flag} is for {whose}, not for the frontend {found.name}",
        help="values for a frontend are given with --build-arg NAME=VALUE",
    )


def unknown_version(found: Registered, version: str, known: Sequence[str], span: Span | None) -> UserError:
    """`span` is the syntax line; None if the command line requires the version."""
    wrong = f"has no version {version}" if version else "is named without a version"
    title = f"the frontend {found.name} of the package {found.owner} {wrong}"
    help = f"write {found.name}:{known[-1]}" + (f" (it knows {', '.join(known)})" if len(known) > 1 else "")
    return UsageError(title, help=help) if span is None else source_error(title, span, help=help)


def not_loaded(found: Registered, error: BaseException, span: Span | None, debug: str) -> FrontendFailed:
    return _broken(found, "can't be loaded", error, span, debug)


def raised(found: Registered, error: BaseException, span: Span | None, debug: str) -> FrontendFailed:
    return _broken(found, "failed", error, span, debug)


def no_frontend(found: Registered, what: str) -> FrontendFailed:
    return _wrong(
        found, f"is {what}", "its entry point must name an object, or a module, with a function `build`"
    )


def wrong_versions(found: Registered, what: str) -> FrontendFailed:
    return _wrong(found, f"has versions that are {what}", 'write versions = ("1",)')


def wrong_result(found: Registered, where: str, what: str, wanted: str) -> FrontendFailed:
    """`where` is the place in the returned value, "" for all of it."""
    place = f" in {where}" if where else ""
    return _wrong(found, f"returned {what}{place}", f"{where or '`build`'} must be {wanted}")


def no_images(found: Registered) -> FrontendFailed:
    return _wrong(found, "returned no image", "`Built.images` has one for each of `inputs.platforms`")


def no_platform(found: Registered) -> FrontendFailed:
    return _wrong(
        found, "returned an image of no platform", "start from `inputs.base`, or from `image.empty(platform)`"
    )


def one_platform_twice(found: Registered, platform: str) -> FrontendFailed:
    return _wrong(found, f"returned two images for {platform}", "`Built.images` has one for each platform")


def other_platforms(found: Registered, made: Sequence[str], wanted: Sequence[str]) -> UserError:
    """Not a bug of the package: the frontend may not support the platforms."""
    return UserError(
        f"the frontend {found.name} made {' and '.join(made)}, and {' and '.join(wanted)} was asked for",
        help=f"leave out --platform, or ask the authors of {found.package} for it",
    )


def _wrong(found: Registered, what: str, help: str) -> FrontendFailed:
    return FrontendFailed(
        f"the frontend {found.name} of the package {found.owner} {what}",
        help=f"this is a bug in {found.package}: {help}",
    )


def _broken(
    found: Registered, what: str, error: BaseException, span: Span | None, debug: str
) -> FrontendFailed:
    """`span` is the place in the package; `debug` names the variable that adds the traceback."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    notes = [("note", f"this is a bug in {found.package}, not in your build file")]
    if os.environ.get(debug) == "1":
        from traceback import format_exception

        notes.append(("traceback", "\n" + "".join(format_exception(error)).rstrip()))
    else:
        notes.append(("help", f"report it to its authors, with what {debug}=1 adds"))
    return FrontendFailed(
        Diagnostic(
            f"the frontend {found.name} of the package {found.owner} {what}: {name}{': ' if text else ''}{text}",
            labels=[Label(span)] if span is not None else [],
            notes=notes,
        )
    )
