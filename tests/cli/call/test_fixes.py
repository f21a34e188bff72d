"""Quick fixes: each rule's, and what holds for all of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from tests.compiler.lower.dockerfile.world import lowered
from tests.lang.dockerfile.fmt.formatter_cases import TEXT, dockerfiles
from tests.lang.dockerfile.fmt.test_fmt_laws import AnyWorld

from pybuild.lang.diagnostics import SourceError, UserError
from pybuild.lang.dockerfile.fix import FIXES, count_fixable, fix_all
from pybuild.lang.dockerfile.lint.linter import Finding, Linter
from pybuild.lang.dockerfile.lint.rules import RULES
from pybuild.lang.dockerfile.parse import parse
from pybuild.lang.source import Source

IN_HISTORY = {"MaintainerDeprecated", "MultipleInstructionsDisallowed"}
"""Rules whose fix changes more of the image than nothing."""


def lint(source: Source) -> list[Finding]:
    linter = Linter.of(source, {})
    try:
        parse(source, linter=linter)
        lowered(source.text, AnyWorld(), linter=linter, lint_all=True)
    except UserError:
        pass
    unique: dict[tuple[str, int, str], Finding] = {}
    for finding in linter.findings:
        unique.setdefault((finding.rule.name, finding.span.line, finding.message), finding)
    return list(unique.values())


def fixed(text: str) -> tuple[str, list[str]]:
    source, findings = fix_all(Source("Dockerfile", text), lint)
    return source.text, [finding.rule.name for finding in findings]


CASES = [
    ("StageNameCasing", "FROM scratch AS Big", "FROM scratch AS big"),
    ("FromAsCasing", "FROM scratch as big", "FROM scratch AS big"),
    ("FromAsCasing", "from scratch AS big\nuser a", "from scratch as big\nuser a"),
    ("ConsistentInstructionCasing", "FROM scratch\nRun a\nuser b", "FROM scratch\nRUN a\nUSER b"),
    ("ConsistentInstructionCasing", "from scratch\nrun a\nUSER b", "from scratch\nrun a\nuser b"),
    ("NoEmptyContinuation", "FROM scratch\nRUN a \\\n\n  \n# c\n\n  b", "FROM scratch\nRUN a \\\n# c\n  b"),
    ("NoEmptyContinuation", "FROM scratch\nRUN <<E \\\n\n cat\n\nx\nE", "FROM scratch\nRUN <<E \\\n cat\n\nx\nE"),
    ("LegacyKeyValueFormat", "FROM scratch\nENV a b", "FROM scratch\nENV a=b"),
    ("LegacyKeyValueFormat", "FROM scratch\nLABEL  a   b c ", 'FROM scratch\nLABEL  a="b c" '),
    ("LegacyKeyValueFormat", 'FROM scratch\nENV a "b  $c"', 'FROM scratch\nENV a="b  $c"'),
    ("LegacyKeyValueFormat", "FROM scratch\nENV a b\\ c", "FROM scratch\nENV a=b\\ c"),
    ("MaintainerDeprecated", "FROM scratch\nMAINTAINER Me <me@x>",
     'FROM scratch\nLABEL org.opencontainers.image.authors="Me <me@x>"'),
    ("MaintainerDeprecated", "FROM scratch\nMAINTAINER \"I $x \\ y\"",
     'FROM scratch\nLABEL org.opencontainers.image.authors="I \\$x \\\\ y"'),
    ("RedundantTargetPlatform", "FROM --platform=$TARGETPLATFORM  scratch", "FROM scratch"),
    ("RedundantTargetPlatform", "FROM --platform=${TARGETPLATFORM} \\\n scratch", "FROM  \\\n scratch"),
    ("ExposeProtoCasing", "FROM scratch\nARG p=9\nEXPOSE 80/TCP 81 $p/Udp",
     "FROM scratch\nARG p=9\nEXPOSE 80/tcp 81 $p/udp"),
    ("MultipleInstructionsDisallowed", "FROM scratch\nCMD [\"a\"]\nUSER b\nCMD [ \\\n\"c\"]\nCMD [\"d\"]",
     "FROM scratch\nUSER b\nCMD [\"d\"]"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "text", "wanted"), CASES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_cases(rule: str, text: str, wanted: str, end: str) -> None:
    text, wanted = (one.replace("\n", end) for one in (text, wanted))
    for tail in ("", end):
        found, rules = fixed(text + tail)
        assert found == wanted + tail
        assert rule in rules


UNFIXED = [
    "FROM scratch\nCMD a\n",
    'FROM scratch\nENV a "b" c\n',
    "FROM scratch\nENV a b\\ c d\n",
    "FROM scratch\nENV a \\\n b\n",
    "FROM scratch\nENV 'a b\n",
    "FROM scratch\nMAINTAINER a \\\n b\n",
    "FROM scratch\nARG p=TCP\nEXPOSE 80/$p\n",
    "FROM scratch AS a\nFROM scratch AS a\n",
    "FROM scratch\nWORKDIR a\n",
]


@pytest.mark.parametrize("text", UNFIXED)
def test_what_needs_a_mind_is_left(text: str) -> None:
    source = Source("Dockerfile", text)
    assert fixed(text) == (text, [])
    assert count_fixable(source, lint(source)) == 0


def test_every_fix_is_of_a_rule_and_has_a_case() -> None:
    assert FIXES.keys() <= RULES.keys()
    assert FIXES.keys() == {rule for rule, _, _ in CASES}


def image(text: str) -> tuple[Any, ...]:
    """The graph and the image; what is wrong with a file counts without its place."""
    try:
        result = lowered(text, AnyWorld(), linter=Linter.off())
    except UserError as error:
        return type(error), str(error)
    digest = result.edge.vertex.digest if result.edge is not None else None
    return digest, json.loads(result.image.to_json())


def check(text: str) -> None:
    try:
        parse(Source("Dockerfile", text))
    except SourceError:
        return
    done, rules = fixed(text)
    source = Source("Dockerfile", done)
    assert count_fixable(source, lint(source)) == 0
    if done == text:
        assert rules == []
        return
    parse(source)
    assert fixed(done) == (done, [])
    before, after = image(text), image(done)
    if IN_HISTORY.isdisjoint(rules):
        assert after == before
    elif isinstance(before[1], dict):
        assert after[0] == before[0]
        for config in (before[1], after[1]):
            config.pop("history", None), config.pop("author", None), config["config"].pop("Labels", None)
        assert after[1] == before[1]


@pytest.mark.long
def test_the_dockerfiles_of_all_suites() -> None:
    for text in dockerfiles():
        check(text)


@settings(max_examples=80, deadline=None)
@given(TEXT)
def test_generated_files(text: str) -> None:
    check(text)
