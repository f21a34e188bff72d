"""The pages of `docs/dockerfile/checks`: every example is what it is said to be, every rule has a page.

A note before an example says whether it is `bad` or `good`, and with which options: `platform`, `excludes` (patterns
of .dockerignore), `check` (BUILDKIT_DOCKERFILE_CHECK), `images` (the platform all images are of).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.lang.dockerfile.lint.casebook import Outcome

from pybuild.lang.dockerfile.lint.rules import DOCUMENTATION, RULES

PAGES = Path(__file__).resolve().parents[4] / "docs" / "dockerfile" / "checks"
EXAMPLE = re.compile(
    r"^<!-- (?P<kind>bad|good)(?P<note>[^\n]*) -->\n```dockerfile\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMES = ("alpine", "golang", "nginx")
OF_RULE = {rule.slug: name for name, rule in RULES.items()}


def outcome(example: re.Match[str]) -> Outcome:
    note = dict(part.strip().split(": ", 1) for part in example["note"].split(";") if part.strip())
    images = {
        f"docker.io/library/{name}:latest": {"architecture": note.get("images", "amd64")} for name in NAMES
    }
    options: dict[str, Any] = {"images": images}
    if "platform" in note:
        options["platform"] = note["platform"]
    if "check" in note:
        options["build_args"] = {"BUILDKIT_DOCKERFILE_CHECK": note["check"]}
    options["excludes"] = note.get("excludes", "").split()
    return Outcome(example["text"], options)


EXAMPLES = [
    pytest.param(
        path.stem, match, id=f"{path.stem}:{path.read_text().count(chr(10), 0, match.start('text')) + 1}"
    )
    for path in sorted(PAGES.glob("*.md"))
    for match in EXAMPLE.finditer(path.read_text())
]


@pytest.mark.parametrize(("slug", "example"), EXAMPLES)
def test_example(slug: str, example: re.Match[str]) -> None:
    found = outcome(example)
    wanted = {OF_RULE[slug]} if example["kind"] == "bad" else set()
    assert set(found.rules) == wanted, found.findings
    if example["kind"] == "good":
        assert not found.error


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_a_page_that_shows_its_message(name: str) -> None:
    rule = RULES[name]
    assert rule.url == f"{DOCUMENTATION}{rule.slug}/"
    text = (PAGES / f"{rule.slug}.md").read_text()
    assert text.startswith(f"# {name}\n")
    assert ("Experimental: off until it is asked for" in text) == rule.experimental
    kinds = [match["kind"] for match in EXAMPLE.finditer(text)]
    assert sorted(set(kinds)) == ["bad", "good"]
    first = next(match for match in EXAMPLE.finditer(text) if match["kind"] == "bad")
    (message, *_) = (body for kind, body in FENCE.findall(text) if kind == "text")
    assert message.strip() in [finding.message for finding in outcome(first).found]


def test_the_index_names_every_page() -> None:
    links = re.findall(r"\]\(([\w-]+)\.md\)", (PAGES / "index.md").read_text())
    assert sorted(links) == sorted(rule.slug for rule in RULES.values())
    assert sorted(path.stem for path in PAGES.glob("*.md")) == sorted([*links, "index"])


def test_every_dockerfile_of_the_pages_is_an_example_or_stands_in_the_index() -> None:
    for path in PAGES.glob("*-*.md"):
        text = path.read_text()
        assert len(EXAMPLE.findall(text)) == sum(kind == "dockerfile" for kind, _ in FENCE.findall(text))


def test_links_lead_somewhere() -> None:
    for path in PAGES.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            assert target.startswith("https://") or (path.parent / target).exists()
