"""What each check finds, and the laws of skipping and of `error=true`."""

from __future__ import annotations

import os
import re

import pytest
from tests.lang.dockerfile.lint.casebook import Case, Outcome, read_cases, write_cases

from pybuild.lang.dockerfile.lint.rules import RULES, Rule

if os.environ.get("PYBUILD_WRITE_CASES"):
    write_cases()

ALL = read_cases()
OF_RULE = {name: [case for case in ALL if case.file.stem == rule.slug] for name, rule in RULES.items()}
FIRING = [
    (rule, case)
    for name, rule in RULES.items()
    for case in OF_RULE[name]
    if re.search(rf"^{name} ", case.blocks.get("findings", ""), re.MULTILINE)
    and "error" not in case.blocks
    and "check=" not in case.text
    and "BUILDKIT_DOCKERFILE_CHECK" not in case.options.get("build_args", {})
]
firing = pytest.mark.parametrize(("rule", "case"), FIRING, ids=[f"{case.id}" for _, case in FIRING])


def with_check(case: Case, check: str) -> Outcome:
    """The case with a `check` directive, as the build argument: no line moves."""
    options = case.options
    options["build_args"] = {**options.get("build_args", {}), "BUILDKIT_DOCKERFILE_CHECK": check}
    return Outcome(case.text, options)


@pytest.mark.parametrize("case", ALL, ids=[case.id for case in ALL])
def test_case(case: Case) -> None:
    expected = {kind: text for kind, text in case.blocks.items() if kind in ("findings", "error")}
    assert Outcome(case.text, case.options).blocks == expected


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_a_case_with_and_one_without_a_finding(name: str) -> None:
    found = [name in Outcome(case.text, case.options).rules for case in OF_RULE[name]]
    assert any(found)
    assert not all(found)


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if not rule.experimental])
def test_every_rule_has_a_case_for_the_laws(name: str) -> None:
    assert any(rule.name == name for rule, _ in FIRING)


def test_case_titles_are_unique() -> None:
    assert len({case.id for case in ALL}) == len(ALL)


@firing
def test_a_skipped_rule_is_silent_and_the_others_are_not(rule: Rule, case: Case) -> None:
    plain = Outcome(case.text, case.options)
    skipped = with_check(case, f"skip={rule.name}")
    kept = [line for line in plain.findings.splitlines() if not line.startswith(f"{rule.name} ")]
    assert skipped.findings.splitlines() == kept
    assert with_check(case, f"skip={rule.name};error=true").error == "" or kept


@firing
def test_error_true_ends_the_build_with_the_names_of_all_rules(rule: Rule, case: Case) -> None:
    ended = with_check(case, "error=true")
    assert ended.findings == case.blocks["findings"]
    assert ended.error == f"lint violation found for rules: {', '.join(sorted(set(ended.rules)))}\n"
    assert rule.name in ended.error


@firing
def test_skip_all_silences_everything(rule: Rule, case: Case) -> None:
    silenced = with_check(case, "skip=all;error=true")
    assert (silenced.findings, silenced.error) == ("", "")


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.experimental])
def test_experimental_rules_are_silent_until_asked_for(name: str) -> None:
    (case, *_) = (case for case in OF_RULE[name] if f"experimental={name}" in case.text)
    assert name in Outcome(case.text, case.options).rules
    for check in ("", "experimental=Other", f"skip={name}"):
        assert name not in with_check(case, check).rules
    for check in ("experimental=all", f"skip=all;experimental={name}", f"skip={name};experimental=all"):
        assert name in with_check(case, check).rules
    ended = with_check(case, f"skip=all;error=true;experimental={name}")
    assert ended.error == f"lint violation found for rules: {name}\n"
