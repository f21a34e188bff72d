"""Errors in values and texts of a build module."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.lang.source import Span


_STATEMENTS: Final = "to `from_`, `copy`, `bind` and other statements"


def no_text(span: Span, what: str, *, secret: bool = False, to: str = _STATEMENTS) -> Diagnostic:
    """E0901, E0301: a value that is known later, where Python needs it now; `to` names what accepts it as it is."""
    if secret:
        return Diagnostic(
            "a secret has no value in a build module",
            code="E0901",
            labels=[Label(span, "would end up in the graph, the cache and the image")],
            notes=[("help", "mount it for the runs that need it: `with t.using(pb.secret(…)):`")],
        )
    return Diagnostic(
        f"{what} has no value while the module runs",
        code="E0301",
        labels=[Label(span, "it is known when the build runs")],
        notes=[("help", f"pass it on as it is: {to}")],
    )


def no_value(span: Span, type: str, help: str) -> Diagnostic:
    """E0301: a Python object that means nothing in the language."""
    return Diagnostic(
        f"a value of the type {type} means nothing in a build",
        code="E0301",
        labels=[Label(span)],
        notes=[("help", help)],
    )


def no_script(span: Span, type: str) -> Diagnostic:
    """E0301: a script that is no text."""
    list_ = type in ("list", "tuple")
    help = "`t.exec([…])` runs a program without a shell" if list_ else "write the commands as text"
    return Diagnostic(
        f"a script is a str, not a {type}", code="E0301", labels=[Label(span)], notes=[("help", help)]
    )


def empty_script(span: Span) -> Diagnostic:
    """E0104: a script without a command."""
    return Diagnostic(
        "the script is empty",
        code="E0104",
        labels=[Label(span)],
        notes=[("help", "leave the statement out where there is nothing to run")],
    )


def no_unicode(span: Span) -> Diagnostic:
    """E0100: a text with a character that can't be written: a lone surrogate, or a null character in a script."""
    return Diagnostic(
        "the text has a character that cannot be written",
        code="E0100",
        labels=[Label(span, "null, or a part of a name that is no Unicode")],
    )


def not_called(span: Span, name: str) -> Diagnostic:
    """E0406: a state function in place of the state that it returns."""
    return Diagnostic(
        f"`{name}` is a state function: call it",
        code="E0406",
        labels=[Label(span, f"write `{name}(…)`")],
    )


def replaced(span: Span, name: str, by: Span) -> Diagnostic:
    """E1004: something whose name belongs to a later declaration of the program."""
    return Diagnostic(
        f"another `{name}` has been declared since this one",
        code="E1004",
        labels=[Label(span), Label(by, "it has the name", primary=False)],
        notes=[("help", 'where a function declares targets, name each: `@pb.target(name=f"…")`')],
    )


def other_module(span: Span, name: str, module: str) -> Diagnostic:
    """E1004: something that another module of a program declares, whose names aren't part of this build."""
    return Diagnostic(
        f"`{name}` is declared in {module}, a module that is built by itself",
        code="E1004",
        labels=[Label(span)],
        notes=[
            (
                "help",
                "declare what belongs together in one module, share it as a `@pb.step`, or build the module by its "
                "file, `pb.Builder(file=…)`: what that imports is a part of it",
            )
        ],
    )


def missing_value(span: Span, name: str) -> Diagnostic:
    """E0402: `${{name}}` without a keyword."""
    return Diagnostic(
        f"no value for `${{{{{name}}}}}`",
        code="E0402",
        labels=[Label(span, f"no keyword `{name}`")],
        notes=[("help", f"pass it: `{name}=…`; write `$${{{{` for the characters themselves")],
    )


def unused_value(span: Span, name: str) -> Diagnostic:
    """E0401: a keyword that doesn't occur in the text."""
    return Diagnostic(
        f"the text has no `${{{{{name}}}}}`",
        code="E0401",
        labels=[Label(span, "not used")],
        notes=[("help", "an f-string turns `{{` into `{`: write the text without the `f`")],
    )


def not_a_name(span: Span, text: str) -> Diagnostic:
    """E0105: something other than a name in `${{ }}`."""
    return Diagnostic(
        f"`${{{{{text}`: a name and `}}}}` expected",
        code="E0105",
        labels=[Label(span)],
        notes=[("help", "write `${{name}}` and give the value as a keyword: `name=…`")],
    )


def step_needs_t(span: Span, name: str) -> Diagnostic:
    """E0406: a step whose first argument isn't `t`."""
    return Diagnostic(
        f"`{name}` is a step: its first argument is `t`",
        code="E0406",
        labels=[Label(span, f"write `{name}(t, …)`")],
    )


def not_a_step(span: Span, name: str, kind: str) -> Diagnostic:
    """E0406: something other than a step that is called with `t`."""
    return Diagnostic(
        f"`{name}` is {kind}, not a step",
        code="E0406",
        labels=[Label(span, "leave out the `t`")],
    )


def not_measured(span: Span, what: str, text: str, example: str) -> Diagnostic:
    """E0603: a text that is no duration or size."""
    return Diagnostic(
        f'"{text}" is no {what}',
        code="E0603",
        labels=[Label(span)],
        notes=[("help", f"write a {what} such as `{example}`")],
    )


def no_map(span: Span, type: str) -> Diagnostic:
    """E0301: something other than a dict."""
    return Diagnostic(
        f"a dict is needed here, not a {type}",
        code="E0301",
        labels=[Label(span)],
        notes=[("help", 'write `{"NAME": "value"}`')],
    )


def bad_call(span: Span, name: str, why: str) -> Diagnostic:
    """E0402: arguments that a state function doesn't take."""
    return Diagnostic(f"`{name}`: {why}", code="E0402", labels=[Label(span)])
