"""Builds of which nothing changed are replayed; what the frontend ran and read, and what is installed, is noticed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.e2e.building import Builder, Outcome
from tests.plugins.site import HEAD, Site
from tests.replay.project import SETTLE_SECONDS, TELL

pytestmark = [pytest.mark.root, pytest.mark.crun]

MODULE = """\
import acme_words.texts


def build(bridge: Bridge, inputs: FrontendInputs) -> Built:
    text = acme_words.texts.WORD + inputs.context.read_file("word", bridge).decode()
    state = State.scratch().file(mkfile("/made", text.encode()))
    return Built(Base.scratch(inputs.platforms[0]).built(state), repeatable="anew" not in text)
"""


@pytest.fixture
def builder(builder: Builder, site: Site, package: Path) -> Builder:
    return builder.in_environment(PYTHONPATH=f"{site.path}:{package}")


class Kept:
    """A context with a frontend, built again and again into one archive."""

    def __init__(self, site: Site, builder: Builder) -> None:
        self.site = site
        self.info = site.install(
            "acme-build",
            {"acme": "acme_build"},
            {
                "acme_build/__init__.py": MODULE,
                "acme_words/__init__.py": "",
                "acme_words/texts.py": "WORD = 'a '\n",
            },
        )
        (site.path / "acme_build" / "data").write_text("1")
        (site.path / "sitecustomize.py").write_text(TELL)
        self.told = builder.place / "modules"
        self.builder = builder.in_environment(TELL_MODULES=str(self.told))
        self.context = builder.context("context", "# syntax=acme:1\n", word="one", other="1")

    def build(self, *, code: int = 0) -> Outcome:
        time.sleep(SETTLE_SECONDS)
        archive = self.builder.place / "made.tar"
        return self.builder.build("-o", f"type=tar,dest={archive}", self.context, code=code)

    @property
    def made(self) -> bytes:
        return (self.builder.place / "made.tar").read_bytes()

    def replayed(self) -> bool:
        """Builds, and whether the frontend was not asked."""
        self.build()
        return "pybuild.frontends.plugin" not in self.told.read_text().split()


@pytest.fixture
def kept(site: Site, builder: Builder) -> Kept:
    found = Kept(site, builder)
    found.build()
    found.build()  # packages may lie in the working directory too, where the first build has left its archive
    assert found.replayed()
    assert b"a one" in found.made
    return found


def rewrite(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def test_what_a_frontend_read_is_looked_at(kept: Kept) -> None:
    (kept.context / "other").write_text("2")
    assert kept.replayed()
    (kept.context / "word").write_text("two")
    assert not kept.replayed()
    assert b"a two" in kept.made


def test_the_packages_code_is_looked_at(kept: Kept) -> None:
    rewrite(kept.site.path / "acme_words" / "texts.py", "'a '", "'b '")
    assert not kept.replayed()
    assert b"b one" in kept.made
    assert kept.replayed()
    (kept.site.path / "acme_build" / "data").write_text("2")
    assert not kept.replayed()


def test_an_upgrade_is_noticed(kept: Kept) -> None:
    kept.site.uninstall(kept.info)
    kept.site.install("acme-build", {"acme": "acme_build"}, version="2.0")
    assert not kept.replayed()


def test_another_package_is_noticed(kept: Kept) -> None:
    other = kept.site.install("other", {"acme": "acme_words"})
    assert "is registered twice: by acme-build 1.0 and other 1.0" in kept.build(code=2).err
    (other / "entry_points.txt").write_text("")
    kept.build()
    assert kept.replayed()
    (other / "entry_points.txt").write_text("[pybuild.frontends]\nacme = acme_words\n")
    kept.build(code=2)


def test_another_place_of_packages_is_another_build(kept: Kept, package: Path) -> None:
    there = kept.builder
    kept.builder = there.in_environment(PYTHONPATH=str(package))
    assert "docker.io/library/acme:1" in kept.build(code=1).err
    kept.builder = there
    assert kept.replayed()


def test_what_is_not_repeatable_is_asked_anew(site: Site, builder: Builder) -> None:
    kept = Kept(site, builder)
    (kept.context / "word").write_text("anew")
    kept.build()
    kept.build()
    assert not kept.replayed()


def test_what_is_read_past_what_is_named_is_asked_anew(site: Site, builder: Builder) -> None:
    """A vertex that names one path says nothing of another."""
    kept = Kept(site, builder)
    loose = MODULE.replace(
        'inputs.context.read_file("word", bridge)',
        'bridge.read_file(inputs.context.state("other").edge, "word")',
    )
    (site.path / "acme_build" / "__init__.py").write_text(HEAD + loose)
    kept.build()
    kept.build()
    (kept.context / "word").write_text("two")
    assert not kept.replayed()
    assert b"a two" in kept.made
