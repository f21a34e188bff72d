"""Rewords the language's messages for build modules: what they tell the user to write becomes Python.

An edit is text of the language, so a message about a build module has none.
"""

from __future__ import annotations

import re

from pybuild.lang.diagnostics import Diagnostic, SourceError, SourceErrors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_WRITTEN: Final = tuple(
    (re.compile(pattern, re.S), instead)
    for pattern, instead in (
        (r'`from "IMAGE"`', '`t.from_("IMAGE")`'),
        (r"`from scratch`", "`t.from_(pb.scratch)`"),
        (r'`copy "PATH" from (\w+) to "PATH"`', r'`t.copy("PATH", from_=\1, to="PATH")`'),
        (r"`group all = \[a, b\]`", '`pb.default(pb.group("all", [a, b]))`'),
        (r"declare one: `default \w+`", "declare one: `@pb.target(default=True)`"),
        (r"declare one: `test NAME:`", "declare one with `@pb.test`"),
        (r"`def NAME\(\):`", "`@pb.step`"),
        (r"\bwith (?:pb\.)?([a-z]+\([^\n]*\)):\n +run \.\.\.", r"with t.using(pb.\1):\n        t.run(…)"),
        (r"`with (?:pb\.)?([a-z]+\(.*\)):`", r"`with t.using(pb.\1):`"),
        (r"write `workdir (.*)`$", r"write `t.workdir(\1)`"),
        (r"to insert the (\w+), write `\$\{\{(\w+)\}\}`", r"to insert the \1, write `{\2}` in an f-string"),
        (r"write `env (\w+) = (\w+)`", r"write `t.env(\1=\2)`"),
        (r"write `str\((.*)\)`$", r"write `pb.text(\1)`"),
        (r"make one text of it: `\$\{\{(.*)\}\}`", r"make one text of it: `\1`"),
        (r"write `(entrypoint|cmd|shell|exec|healthcheck) (.*?)`( for no check)?$", r"write `t.\1(\2)`\3"),
        (r"For a literal dollar sign write `\\\$`\.", 'For a literal dollar sign write `pb.plain("…")`.'),
        (r"choose one: `([\w.]+)(?:\(.*\))?\[([^`]*)\]`", r"choose one: `\1(\2)`"),
        (r"`\$\{\{raw\((.*)\)\}\}`", r"`pb.raw(\1)`"),
        (r"`use … (?:as \w+ )?with (\w+)=…`", r"`pb.use(…, \1=…)`"),
    )
)
"""Patterns of advice in the language, and the advice for Python."""

_SCRIPT: Final = re.compile(r"`\{(\w+)\}` in an f-string")


def in_python(diagnostic: Diagnostic) -> Diagnostic:
    """Return the message as worded for a build module; one about a file of the language stays as it is."""
    span = diagnostic.span
    if span is not None and ".pybuild" in span.source.name:
        return diagnostic
    notes = [
        (word, _said(text, diagnostic.code) if word != "output" else text) for word, text in diagnostic.notes
    ]
    return Diagnostic(
        diagnostic.title,
        labels=diagnostic.labels,
        notes=notes,
        code=diagnostic.code,
        level=diagnostic.level,
        url=diagnostic.url,
    )


def error_in_python(error: SourceError) -> SourceErrors:
    """Return the error with all its messages worded for a build module."""
    several = error.diagnostics if isinstance(error, SourceErrors) else (error.diagnostic,)
    return SourceErrors([in_python(one) for one in several])


def _said(text: str, code: str | None) -> str:
    for pattern, instead in _WRITTEN:
        text = pattern.sub(instead, text)
    if code == "W0601":
        text = _SCRIPT.sub(r"`${{\1}}` and the keyword `\1=…`", text)
    return text
