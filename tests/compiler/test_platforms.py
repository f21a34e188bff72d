import os
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.compiler import platforms
from pybuild.compiler.ops import Platform
from pybuild.compiler.platforms import BadPlatform


def on(monkeypatch: pytest.MonkeyPatch, machine: str, system: str = "Linux") -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine, sysname=system))


@pytest.mark.parametrize(
    ("text", "normal", "as_written"),
    [
        ("linux/amd64", "linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64", "linux/amd64"),
        ("Linux/X86-64", "linux/amd64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3", "linux/amd64/v3"),
        ("linux/i386", "linux/386", "linux/386"),
        ("linux/arm64", "linux/arm64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64", "linux/arm64/v8"),
        ("linux/arm64/8", "linux/arm64", "linux/arm64/v8"),
        ("linux/aarch64", "linux/arm64", "linux/arm64"),
        ("linux/arm64/v9", "linux/arm64/v9", "linux/arm64/v9"),
        ("linux/arm", "linux/arm/v7", "linux/arm"),
        ("linux/arm/7", "linux/arm/v7", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6", "linux/arm/v6"),
        ("linux/arm/5", "linux/arm/v5", "linux/arm/v5"),
        ("linux/armhf", "linux/arm/v7", "linux/arm"),
        ("linux/armel", "linux/arm/v6", "linux/arm/v6"),
        ("macos/arm64", "darwin/arm64", "darwin/arm64"),
        ("windows(10.0.17763)/amd64", "windows/amd64", "windows/amd64"),
        ("linux/fantasy/x", "linux/fantasy/x", "linux/fantasy/x"),
        ("linux", "linux/ppc64le", "linux/ppc64le"),
        ("freebsd", "freebsd/ppc64le", "freebsd/ppc64le"),
        ("riscv64", "linux/riscv64", "linux/riscv64"),
        ("aarch64", "linux/arm64", "linux/arm64"),
        ("arm", "linux/arm/v7", "linux/arm"),
        ("local", "linux/ppc64le", "linux/ppc64le"),
    ],
)
def test_parsing(monkeypatch: pytest.MonkeyPatch, text: str, normal: str, as_written: str) -> None:
    on(monkeypatch, "ppc64le")
    assert platforms.format(platforms.parse(text)) == normal
    assert platforms.format(platforms.parse_specifier(text)) == as_written
    assert platforms.parse(normal) == platforms.normalize(platforms.parse(normal))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "bad platform '': it is empty"),
        ("linux/*", "bad platform 'linux/*': wildcards are not supported"),
        ("linux/amd64/v1/x", "bad platform 'linux/amd64/v1/x': it has 4 parts"),
        ("linux/", "bad platform 'linux/': a part is empty"),
        ("/amd64", "bad platform '/amd64': a part is empty"),
        ("linux/arm 64", "bad platform 'linux/arm 64': only letters, digits, '_', '.' and '-' can be in it"),
        (
            "linux/amd64\n",
            "bad platform 'linux/amd64\\n': only letters, digits, '_', '.' and '-' can be in it",
        ),
        ("amd46", "bad platform 'amd46': no such operating system or architecture"),
        (
            "windows(1%2)/amd64",
            "bad platform 'windows(1%2)/amd64': '1%2' has a '%' that no two hexadecimal digits follow",
        ),
    ],
)
def test_bad_platforms(text: str, message: str) -> None:
    with pytest.raises(BadPlatform) as caught:
        platforms.parse(text)
    assert str(caught.value) == message
    [(word, help)] = caught.value.diagnostic.notes
    assert word == "help"
    assert ("amd64?" in help) == (text == "amd46")


@pytest.mark.parametrize(
    ("machine", "platform"),
    [
        ("x86_64", "linux/amd64"),
        ("i686", "linux/386"),
        ("aarch64", "linux/arm64"),
        ("armv7l", "linux/arm/v7"),
        ("armv6l", "linux/arm/v6"),
        ("armv8l", "linux/arm/v8"),
        ("riscv64", "linux/riscv64"),
        ("s390x", "linux/s390x"),
        ("loongarch64", "linux/loong64"),
    ],
)
def test_this_machine(monkeypatch: pytest.MonkeyPatch, machine: str, platform: str) -> None:
    on(monkeypatch, machine)
    assert platforms.format(platforms.default()) == platform
    assert platforms.normalize(platforms.default()) == platforms.default()


def test_versions_and_features() -> None:
    parsed = platforms.parse("windows(10.0.17763+b+a%2F1)/amd64")
    assert parsed == Platform("amd64", "windows", "", "10.0.17763", ("a/1", "b"))
    assert platforms.format_all(parsed) == "windows(10.0.17763+a%2F1+b)/amd64"
    assert platforms.parse(platforms.format_all(parsed)) == parsed
    assert platforms.format_all(Platform("arm", "linux", "v7")) == "linux/arm/v7"
    assert platforms.format(Platform()) == platforms.format_all(Platform("amd64")) == "unknown"


@pytest.mark.parametrize(
    ("wanted", "order"),
    [
        ("linux/amd64", ["linux/amd64", "linux/386"]),
        ("linux/amd64/v3", ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"]),
        ("linux/386", ["linux/386"]),
        ("linux/arm/v7", ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]),
        ("linux/arm/v5", ["linux/arm/v5"]),
        ("linux/arm64", ["linux/arm64", "linux/arm/v8", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]),
        (
            "linux/arm64/v8.2",
            ["linux/arm64/v8.2", "linux/arm64/v8.1", "linux/arm64"]
            + [f"linux/arm/v{n}" for n in (8, 7, 6, 5)],
        ),
        (
            "linux/arm64/v9.1",
            ["linux/arm64/v9.1", "linux/arm64/v9"]
            + [f"linux/arm64/v8.{n}" for n in (6, 5, 4, 3, 2, 1)]
            + ["linux/arm64"]
            + [f"linux/arm/v{n}" for n in (8, 7, 6, 5)],
        ),
        ("linux/riscv64", ["linux/riscv64"]),
    ],
)
def test_what_runs_where(wanted: str, order: list[str]) -> None:
    platform = platforms.parse(wanted)
    assert [platforms.format(found) for found in platforms.compatible(platform)] == order
    candidates = [platforms.parse(text) for text in reversed(order)]
    others = [
        platforms.parse(text) for text in ("darwin/amd64", "linux/s390x", "linux/arm/v9", "linux/amd64/v4")
    ]
    while candidates:
        assert platforms.best(platform, others + candidates) == len(others) + len(candidates) - 1
        candidates.pop()
    assert platforms.best(platform, others) is None
    assert [platforms.matches(platform, platforms.parse(text), strict=True) for text in order] == [
        text == wanted for text in order
    ]


def test_spellings_match_strictly() -> None:
    arm64 = platforms.parse("linux/arm64")
    assert platforms.matches(arm64, Platform("aarch64", "linux", "v8"), strict=True)
    assert platforms.matches(Platform("x86_64", "Linux"), Platform("amd64", "linux", "v1"), strict=True)
    assert not platforms.matches(arm64, Platform("arm", "linux", "v7"), strict=True)
    assert not platforms.matches(arm64, Platform("unknown", "unknown"))


def test_the_first_of_equals() -> None:
    amd64 = platforms.parse("linux/amd64")
    assert platforms.best(amd64, [Platform("386", "linux"), amd64, amd64]) == 1


def test_features_are_a_subset() -> None:
    some = Platform("amd64", "linux", os_features=("a", "b"))
    assert platforms.matches(some, Platform("amd64", "linux", os_features=("b",)))
    assert platforms.matches(some, Platform("amd64", "linux"))
    assert not platforms.matches(some, Platform("amd64", "linux", os_features=("c",)))
    assert not platforms.matches(Platform("amd64", "linux"), some)


@pytest.mark.parametrize(
    ("host", "image", "runs"),
    [
        ("", "10.0.17763.1", True),
        ("10.0.17763", "", True),
        ("10.0.17763", "10.0.17763.4737", True),
        ("10.0.17763.1", "10.0.17764", False),
        ("10.0.20348", "10.0.17763", False),
        ("10.0.26100", "10.0.20348.1", True),
        ("10.0.26100", "10.0.26101", False),
        ("10.0.26100", "11.0.20348", False),
        ("10.0.26100", "oddity", False),
    ],
)
def test_windows_versions(host: str, image: str, runs: bool) -> None:
    ours, theirs = (Platform("amd64", "windows", os_version=version) for version in (host, image))
    assert platforms.matches(ours, theirs) is runs
    assert platforms.matches(
        Platform("amd64", "linux", os_version=host), Platform("amd64", "linux", os_version=image)
    )


@given(st.text("linuxamd64rv/78()+%. *", max_size=16))
def test_a_platform_or_an_error(text: str) -> None:
    try:
        found = platforms.parse(text)
    except BadPlatform:
        return
    assert platforms.normalize(found) == found
    assert platforms.parse(platforms.format_all(found)) == found
    assert platforms.matches(found, found, strict=True)
