"""Caches of the standard library's steps: which they are, and who shares them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lang.textual.dump import chain

from pybuild.lang import recipe
from pybuild.language.compiled import Compiled

LOCKED, SHARED = "locked", "shared"
CALLS = {
    'apt.install(["a"])': {"/var/cache/apt": LOCKED, "/var/lib/apt/lists": LOCKED},
    'apk.install(["a"])': {"/etc/apk/cache": LOCKED},
    'dnf.install(["a"])': {
        "/var/cache/dnf": LOCKED,
        "/var/cache/libdnf5": LOCKED,
        "/var/cache/yum": LOCKED,
    },
    'pip.install(["a"])': {"/var/cache/pip": SHARED},
    "pip.requirements()": {"/var/cache/pip": SHARED},
    "uv.sync()": {"/var/cache/uv": SHARED},
    'uv.pip_install(["a"])': {"/var/cache/uv": SHARED},
    'uv.tool_install("a")': {"/var/cache/uv": SHARED},
    "npm.ci()": {"/var/cache/npm": SHARED},
    'npm.install(["a"])': {"/var/cache/npm": SHARED},
    "pnpm.fetch()": {"/var/cache/pnpm": SHARED},
    "pnpm.install()": {"/var/cache/pnpm": SHARED},
    'pnpm.deploy("a", "/a")': {"/var/cache/pnpm": SHARED},
    "go.download()": {"/var/cache/go/modules": SHARED, "/var/cache/go/build": SHARED},
    'go.build(["."], "/a")': {"/var/cache/go/modules": SHARED, "/var/cache/go/build": SHARED},
    "cargo.fetch()": {"/usr/local/cargo/registry": LOCKED, "/usr/local/cargo/git": LOCKED},
}


def runs(
    call: str, directory: Path, *, arguments: str = "", platform: str = "linux/amd64"
) -> list[recipe.Run]:
    """The runs of a target that makes one call."""
    module = call.partition(".")[0]
    text = f'# syntax=pybuild:1\n\nuse {module}{arguments}\n\ntarget a:\n    from "debian"\n    {call}\n'
    compiled = Compiled(str(directory / "build.pybuild"), text.encode())
    made = compiled.recipe(compiled.program(), target_platforms=[platform])
    ((instance,),) = [goal.instances for goal in made.requested]
    statements = [one.statement for one in chain(instance.body.state) if isinstance(one, recipe.Step)]
    return [one for one in statements if isinstance(one, recipe.Run)]


def caches(call: str, directory: Path, **more: str) -> dict[str, recipe.CacheMount]:
    (run,) = runs(call, directory, **more)
    return {one.path: one for one in run.options if isinstance(one, recipe.CacheMount)}


@pytest.mark.parametrize("call", CALLS)
def test_a_projects_caches(call: str, tmp_path: Path) -> None:
    found = caches(call, tmp_path)
    assert {path: one.sharing for path, one in found.items()} == CALLS[call]
    assert all(one.scope == "project" and one.id == path for path, one in found.items())


@pytest.mark.parametrize("call", CALLS)
def test_a_users_caches(call: str, tmp_path: Path) -> None:
    found = caches(call, tmp_path, arguments=' with scope="user"')
    assert {one.scope for one in found.values()} == {"user"}


def test_compiled_crates_are_the_projects_and_the_platforms(tmp_path: Path) -> None:
    call = 'cargo.build(["a"], "/a")'
    one, other = (
        caches(call, tmp_path, arguments=' with scope="user"', platform=platform)["/var/cache/cargo/target"]
        for platform in ("linux/amd64", "linux/arm64")
    )
    assert one.id == "/var/cache/cargo/target/linux/amd64" != other.id
    assert one.scope == "project"
    assert one.sharing == LOCKED


def test_another_home_of_cargo(tmp_path: Path) -> None:
    found = caches("cargo.fetch()", tmp_path, arguments=' with home="/root/.cargo"')
    assert set(found) == {"/root/.cargo/registry", "/root/.cargo/git"}


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux/amd64", {"GOOS": "linux", "GOARCH": "amd64", "GOAMD64": "", "GOARM": ""}),
        ("linux/amd64/v3", {"GOOS": "linux", "GOARCH": "amd64", "GOAMD64": "v3", "GOARM": ""}),
        ("linux/arm/v7", {"GOOS": "linux", "GOARCH": "arm", "GOAMD64": "", "GOARM": "7"}),
        ("linux/arm64", {"GOOS": "linux", "GOARCH": "arm64", "GOAMD64": "", "GOARM": ""}),
        ("darwin/arm64", {"GOOS": "darwin", "GOARCH": "arm64", "GOAMD64": "", "GOARM": ""}),
    ],
)
def test_go_compiles_for_the_platform(platform: str, expected: dict[str, str], tmp_path: Path) -> None:
    (run,) = runs('go.build(["."], "/a")', tmp_path, platform=platform)
    given = {
        name: "".join(part if isinstance(part, str) else part.text for part in value)
        for option in run.options
        if isinstance(option, recipe.RunEnv)
        for name, value in option.values
    }
    assert {name: given[name] for name in expected} == expected
