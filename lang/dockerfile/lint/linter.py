"""Collects the findings of build checks, which become warnings or, with `error=true`, fail the build.

    Linter.of           a linter by the file's `check` directive, or the build argument that overrides it
    Linter.report       add a finding, unless its rule is off
    Linter.violation    the error that fails the build, None without one

The parser and the lowering report to one linter. BuildKit's `frontend/dockerfile/linter/linter.go` is the reference
for which findings count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pybuild.lang.diagnostics import Diagnostic, Label, UsageError, UserError, source_error
from pybuild.lang.dockerfile.directives import find_directive
from pybuild.lang.dockerfile.lint.config import BadCheck, CheckConfig, parse_check
from pybuild.lang.dockerfile.lint.rules import Rule
from pybuild.lang.source import Source, Span

Warn = Callable[[Diagnostic], None]

CHECK_ARG = "BUILDKIT_DOCKERFILE_CHECK"
"""The build argument that overrides the directive, even if its value is empty."""

_FORM = "skip=RULE,…;error=true;experimental=RULE,…"


class Finding:
    """A violation of a rule. `span` is the instruction that BuildKit names; `related` are further places."""

    __slots__ = ("message", "related", "rule", "span")

    def __init__(self, rule: Rule, message: str, span: Span, related: tuple[Label, ...] = ()) -> None:
        self.rule = rule
        self.message = message
        self.span = span
        self.related = related

    @property
    def description(self) -> str:
        return self.rule.description

    @property
    def url(self) -> str:
        return self.rule.url

    @property
    def diagnostic(self) -> Diagnostic:
        """The finding as a warning."""
        return Diagnostic(
            self.message,
            labels=[Label(self.span), *self.related],
            notes=[("note", self.description)] if self.description != self.message else [],
            code=self.rule.name,
            level="warning",
            url=self.url,
        )

    def __repr__(self) -> str:
        return f"Finding({self.rule.name}, {self.message!r}, {self.span!r})"


class LintViolation(UserError):
    """Findings in a file whose check options make them errors. `rules` are the names of the rules, sorted."""

    def __init__(self, rules: tuple[str, ...], directive: Span | None) -> None:
        labels = [Label(directive, "makes them errors")] if directive is not None else []
        super().__init__(
            Diagnostic(
                f"lint violation found for rules: {', '.join(rules)}",
                labels=labels,
                notes=[] if labels else [("note", f"{CHECK_ARG} makes them errors")],
            )
        )
        self.rules = rules


class Linter:
    """Collects findings in `findings`, in the order in which BuildKit reports them. `warn` gets each as a warning."""

    def __init__(self, config: CheckConfig, warn: Warn | None = None, directive: Span | None = None) -> None:
        self.config = config
        self.findings: list[Finding] = []
        self._warn = warn
        self._directive = directive

    @classmethod
    def of(cls, source: Source, build_args: Mapping[str, str], warn: Warn | None = None) -> Linter:
        """Make the linter of a file. Raises SourceError for a bad directive, UsageError for a bad build argument."""
        argument = build_args.get(CHECK_ARG)
        if argument is not None:
            try:
                return cls(parse_check(argument), warn)
            except BadCheck as error:
                raise UsageError(
                    f"failed to parse build-arg:{CHECK_ARG}: {error}", help=f"write {_FORM}"
                ) from None
        directive = find_directive(source, "check")
        if directive is None:
            return cls(CheckConfig(), warn)
        text, span = directive
        try:
            return cls(parse_check(text), warn, span)
        except BadCheck as error:
            raise source_error(
                f"failed to parse check options: {error}", span, help=f"write # check={_FORM}"
            ) from None

    @classmethod
    def off(cls) -> Linter:
        """Make a linter that reports nothing."""
        config = CheckConfig()
        config.skip_all = True
        return cls(config)

    def report(self, rule: Rule, span: Span, *facts: str, related: tuple[Label, ...] = ()) -> None:
        """Add a finding with the message that `rule` makes from `facts`, unless the rule is off."""
        if not self.config.wants(rule):
            return
        finding = Finding(rule, _visible(rule.message(*facts)), span, related)
        self.findings.append(finding)
        if self._warn is not None:
            self._warn(finding.diagnostic)

    def violation(self) -> LintViolation | None:
        """Return the error that fails the build, None if findings are no errors or there are none."""
        if not self.config.error or not self.findings:
            return None
        return LintViolation(tuple(sorted({finding.rule.name for finding in self.findings})), self._directive)


def _visible(text: str) -> str:
    """Return `text` with escapes for characters that could move a terminal's cursor."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
