"""Errors for what can't be converted, one constructor for each message."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Label, SourceError, source_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span


def not_expressible(what: str, span: Span, help: str) -> SourceError:
    """The language has no words for it."""
    return source_error(f"{what} can't be converted", span, help=help)


def unknown_variable(name: str, span: Span) -> SourceError:
    return source_error(
        f"whether ${name} has a value depends on the base image",
        span,
        help=f"--linked looks at the image; else set {name} with ENV or ARG above",
    )


def operator_of_argument(name: str, span: Span) -> SourceError:
    return source_error(
        f"${{{name}…}} takes a part of a value that isn't known before the build",
        span,
        help="the language knows `removeprefix`, `removesuffix` and `replace` of plain texts",
    )


def too_many_cases(span: Span) -> SourceError:
    return source_error(
        "this has more cases than are written out",
        span,
        help="give fewer arguments alternatives in one word",
    )


def bad_word(text: str, reason: str, span: Span) -> SourceError:
    return source_error(f"{text}: {reason}", span)


def not_a_name(name: str, span: Span) -> SourceError:
    return not_expressible(
        f"the argument {name}", span, "names of params are made of letters, digits and `_`"
    )


def not_text(span: Span) -> SourceError:
    return not_expressible("a file that isn't UTF-8", span, "put it into the context and copy it")


def unknown_stage(name: str, span: Span) -> SourceError:
    return source_error(f"there is no stage {name} above", span, help="a stage uses stages above it")


def other_frontend(reference: str) -> SourceError:
    """The file is for a frontend other than the Dockerfile's."""
    return SourceError(
        Diagnostic(
            f"a file for the frontend {reference} can't be converted",
            notes=[("help", "only Dockerfiles and files of the language can")],
        )
    )


def differs(text: str, span: Span) -> Diagnostic:
    """A change of meaning."""
    return Diagnostic(text, labels=[Label(span)], level="differs")
