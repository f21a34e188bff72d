"""The lock file itself: its form, what it refuses, what of it is kept."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.lang.diagnostics import UserError
from pybuild.language.lock import GIT, HTTP, IMAGE, MODULE, Lock, lock_text

SHA = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
COMMIT = "c" * 40


def test_tables_and_keys_are_sorted() -> None:
    entries = {
        (MODULE, "m"): f"{COMMIT} {SHA}",
        (HTTP, "https://b"): SHA,
        (HTTP, "https://a"): SHA,
        (GIT, "g#v1"): COMMIT,
        (IMAGE, "docker.io/library/a:1"): SHA,
    }
    assert lock_text(entries).split("\n") == [
        "version = 1",
        "[image]",
        f'"docker.io/library/a:1" = "{SHA}"',
        "[git]",
        f'"g#v1" = "{COMMIT}"',
        "[http]",
        f'"https://a" = "{SHA}"',
        f'"https://b" = "{SHA}"',
        "[module]",
        f'"m" = "{COMMIT} {SHA}"',
        "",
    ]


@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.just(SHA), max_size=5)
)
def test_every_key_survives(keys: dict[str, str]) -> None:
    text = lock_text({(HTTP, key): value for key, value in keys.items()})
    assert tomllib.loads(text).get("http", {}) == keys
    assert len(text.split("\n")) == len(keys) + (3 if keys else 2)


def test_what_others_added_stays(tmp_path: Path) -> None:
    one, two = Lock.read(str(tmp_path)), Lock.read(str(tmp_path))
    one.put(HTTP, "https://a", SHA)
    two.put(HTTP, "https://b", SHA)
    assert one.save()
    assert two.save()
    found = Lock.read(str(tmp_path))
    assert set(found.entries) == {(HTTP, "https://a"), (HTTP, "https://b")}
    assert not found.save()


def test_dropped_moved_restored(tmp_path: Path) -> None:
    lock = Lock.read(str(tmp_path))
    for key in "abc":
        lock.put(HTTP, key, SHA)
    lock.save()
    lock = Lock.read(str(tmp_path))
    for key in "abc":
        lock.drop(HTTP, key)
    lock.put(HTTP, "a", OTHER)
    lock.restore(HTTP, "b", SHA)
    assert lock.save()
    assert Lock.read(str(tmp_path)).entries == {(HTTP, "a"): OTHER, (HTTP, "b"): SHA}


def test_nothing_makes_no_file(tmp_path: Path) -> None:
    assert not Lock.read(str(tmp_path)).save()
    assert not (tmp_path / "pybuild.lock").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version = 2\n", "of version 2"),
        ("", "of version None"),
        ("version = 1\n[images]\n", "unknown table `images`"),
        ("version = 1\nimage = 3\n", "unknown table `image`"),
        ('version = 1\n[image]\na = "sha256:1"\n', "no pin of image"),
        (f'version = 1\n[git]\na = "{SHA}"\n', "no pin of git"),
        (f'version = 1\n[module]\na = "{COMMIT}"\n', "no pin of module"),
        ("version = 1\n[http]\na = 1\n", "no pin of http"),
        ("version = 1\n[http\n", "is not TOML"),
        (f'version = 1\n[http]\n<<<<<<< ours\na = "{SHA}"\n', "is not TOML"),
    ],
)
def test_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "pybuild.lock").write_text(text)
    with pytest.raises(UserError) as caught:
        Lock.read(str(tmp_path))
    assert words in str(caught.value)
    assert caught.value.exit_code == 2
