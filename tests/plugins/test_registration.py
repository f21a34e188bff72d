"""What is registered by which name, and what is said of names that lead nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.plugins.site import Site

from pybuild.frontends.build_context import find_inputs, frontend_of
from pybuild.lang import frontends
from pybuild.lang.diagnostics import SourceError, UsageError, UserError, render
from pybuild.lang.dockerfile.parse import decode
from pybuild.plugins import installed as registry
from pybuild.replay.dependencies import Dependencies


def test_a_name_leads_to_its_entry_point(installed: Site) -> None:
    installed.install("acme-build", {"acme": "acme_build:frontend"}, version="2.1")
    found = registry.find("acme:1")
    assert found is not None
    assert (found.name, found.package, found.version) == ("acme", "acme-build", "2.1")
    assert found.entry.value == "acme_build:frontend"
    assert registry.names() == ["acme"]


@pytest.mark.parametrize("name", ["acme", "acme/images", "registry.example:5000/acme", "ac.me-2"])
@pytest.mark.parametrize("tag", ["", ":1", ":1.2-beta"])
def test_names_are_references_without_a_tag(installed: Site, name: str, tag: str) -> None:
    installed.install("acme-build", {name: "acme_build"})
    found = registry.find(name + tag)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "reference",
    [
        "acm:1",
        "Acme:1",
        "docker.io/acme:1",
        "acme/acme:1",
        "acme:1@sha256:" + "0" * 64,
        "acme@sha256:1",
        "",
        ":1",
    ],
)
def test_other_references_are_images(installed: Site, reference: str) -> None:
    installed.install("acme-build", {"acme": "acme_build"})
    assert registry.find(reference) is None


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("python", "python:3.12"),
        ("pybuild", "pybuild:edge"),
        ("pybuild/dockerfile", "pybuild/dockerfile:2"),
        ("docker/dockerfile", "docker/dockerfile:2"),
        ("docker.io/docker/dockerfile", "docker.io/docker/dockerfile:9"),
    ],
)
def test_a_built_in_name_is_nobodys(installed: Site, name: str, reference: str) -> None:
    installed.install("greedy", {name: "greedy", "other": "greedy"})
    with pytest.raises(UsageError) as caught:
        registry.find(reference)
    assert str(caught.value) == (
        f"the package greedy 1.0 registers the frontend {name}, which is the name of a built-in one"
    )
    assert registry.names() == ["other"]
    assert registry.find("other:1") is not None


def test_two_packages_of_one_name_are_both_named(installed: Site) -> None:
    installed.install("one", {"acme": "one"}, version="1.2")
    installed.install("two", {"acme": "two", "fine": "two"}, version="3.4")
    with pytest.raises(UsageError) as caught:
        registry.find("acme:1")
    assert str(caught.value) == "the frontend acme is registered twice: by one 1.2 and two 3.4"
    assert registry.find("fine") is not None


def test_of_a_package_that_is_there_twice_the_first_counts(
    installed: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.install("acme-build", {"acme": "acme_build:new"}, version="2.0")
    Site(tmp_path / "later").install("acme-build", {"acme": "acme_build:old"}, version="1.0")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "later")])
    found = registry.find("acme:1")
    assert found is not None
    assert found.version == "2.0"


def test_damaged_metadata_is_said(installed: Site) -> None:
    info = installed.install("acme-build", {"acme": "acme_build"})
    (info / "entry_points.txt").write_text("[pybuild.frontends]\nnothing\n")
    with pytest.raises(UsageError, match="frontends that installed packages register can't be read: "):
        registry.find("acme:1")


def refused(reference: str) -> UserError:
    data = f"# syntax={reference}\nFROM scratch\n".encode()
    syntax = frontends.detect_syntax(data)
    assert syntax is not None
    return registry.refusal(frontends.choose(reference), syntax, decode("Dockerfile", data))


def test_a_reference_that_nobody_registers_lists_what_is(installed: Site) -> None:
    installed.install("acme-build", {"acme": "acme_build", "zeta": "acme_build"})
    error = refused("acne:1")
    assert isinstance(error, SourceError)
    assert (
        render(error.diagnostic)
        == """\
error: the frontend acne:1 is an image, which only builds run
 --> Dockerfile:1:10
  |
1 | # syntax=acne:1
  |          ^^^^^^ a frontend run from its image
  |
  = note: no installed package registers a frontend of that name (registered: acme, zeta)
  = help: did you mean acme:1?"""
    )


def test_where_none_is_registered_that_is_said() -> None:
    text = render(refused("ghcr.io/acme/frontend:1").diagnostic)
    assert "no installed package registers a frontend of that name (registered: none)" in text
    assert "help: remove the syntax line, or use docker/dockerfile:1" in text


def test_what_is_an_images_is_not_looked_for(installed: Site) -> None:
    for reference in ("docker/dockerfile:1-labs", "acme@sha256:" + "0" * 64):
        assert "registered" not in render(refused(reference).diagnostic)


def chosen(directory: Path, name: str, text: str, syntax: str = "") -> str:
    (directory / name).write_text(text)
    inputs = find_inputs(str(directory), str(directory / name), Dependencies())
    return frontend_of(inputs, syntax).kind


@pytest.mark.parametrize("name", ["Dockerfile", "images.json", "build.pybuild", "build.py"])
def test_the_line_decides_whatever_the_file_is_called(installed: Site, tmp_path: Path, name: str) -> None:
    installed.install("acme-build", {"acme": "acme_build"})
    assert chosen(tmp_path, name, "# syntax=acme:1\n") == frontends.PLUGIN
    assert chosen(tmp_path, name, "text\n", syntax="acme:1") == frontends.PLUGIN


def test_files_of_the_language_that_name_an_image_stay_that(installed: Site, tmp_path: Path) -> None:
    assert chosen(tmp_path, "build.pybuild", "# syntax=acme:1\n") == frontends.LANGUAGE
    assert chosen(tmp_path, "Dockerfile", "# syntax=acme:1\n") == frontends.IMAGE


def test_packages_are_not_looked_for_where_the_frontend_is_built_in(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("# syntax=docker/dockerfile:1\nFROM scratch\n")
    program = (
        "import sys; from pybuild.frontends.build_context import find_inputs, frontend_of\n"
        "from pybuild.replay.dependencies import Dependencies\n"
        "inputs = find_inputs('.', None, Dependencies())\n"
        "frontend_of(inputs); print('importlib.metadata' in sys.modules)\n"
        "frontend_of(inputs, 'a/b')\n"
        "print('importlib.metadata' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["False", "True"]
