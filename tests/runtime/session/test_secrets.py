"""Secrets of a client: what the flag means, and what comes of it when a step asks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pybuild.lang.diagnostics import UsageError, UserError
from pybuild.request.values import secrets
from pybuild.runtime.session.secrets import MAX_SIZE, ClientSecrets, named, parse


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOKEN", raising=False)
    path = tmp_path / "token"
    path.write_bytes(b"from the file\n")
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("id=t,src=token", b"from the file\n"),
        ("id=t,source=token", b"from the file\n"),
        ("type=file,id=t,src=token", b"from the file\n"),
        ("ID=t,SRC=token", b"from the file\n"),
        ('id=t,"src=token"', b"from the file\n"),
        ("id=t,env=TOKEN", b"from the variable"),
        ("id=t,type=env,env=TOKEN", b"from the variable"),
        ("id=t,type=env,src=TOKEN", b"from the variable"),
        ("id=t,src=token,env=TOKEN", b"from the variable"),
        ("id=t,env=UNSET_TOKEN", b""),
        ("t=file:token", b"from the file\n"),
    ],
)
def test_where_a_secret_comes_from(
    file: Path, monkeypatch: pytest.MonkeyPatch, text: str, value: bytes
) -> None:
    source = parse(text)
    monkeypatch.setenv("TOKEN", "from the variable")
    assert ClientSecrets([source]).get("t") == value


def test_an_id_alone_is_a_variable_else_a_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ClientSecrets([parse("id=token")]).get("token") == b"from the file\n"
    monkeypatch.setenv("token", "from the variable")
    assert ClientSecrets([parse("id=token")]).get("token") == b"from the variable"


@pytest.mark.parametrize("id", ["src", "source", "env", "type", "with space", "a.b"])
def test_any_id_may_be_given_by_the_short_form(file: Path, monkeypatch: pytest.MonkeyPatch, id: str) -> None:
    """But for one called `id`, whose flag is a long form without a source."""
    monkeypatch.setenv("TOKEN", "value")
    assert ClientSecrets([parse(f"{id}=env:TOKEN")]).get(id) == b"value"


def test_the_short_form_names_a_variable_that_is_set(file: Path) -> None:
    with pytest.raises(UsageError, match="secret t: the variable TOKEN is not set") as caught:
        parse("t=env:TOKEN")
    assert ("help", "set it, or give a file: t=file:PATH") in caught.value.diagnostic.notes


def test_the_short_form_takes_what_follows_the_colon_as_it_is(file: Path) -> None:
    (file.parent / 'a,b="c":d').write_bytes(b"odd")
    text = 't=file:a,b="c":d'
    assert ClientSecrets([parse(text)]).get("t") == b"odd"
    assert named(text) == ('a,b="c":d',)
    assert named("t=env:TOKEN") == ()


def test_the_last_of_an_id_counts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "second")
    given = ClientSecrets([parse("id=t,src=token"), parse("id=t,env=TOKEN")])
    assert given.get("t") == b"second"
    assert given.get("other") is None


def test_a_value_is_read_when_asked_for_and_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ClientSecrets([parse("id=t,env=TOKEN"), parse("id=f,src=token")])
    monkeypatch.setenv("TOKEN", "set later")
    file.write_bytes(b"written later")
    assert (given.get("t"), given.get("f")) == (b"set later", b"written later")
    monkeypatch.setenv("TOKEN", "and changed")
    file.unlink()
    assert (given.get("t"), given.get("f")) == (b"set later", b"written later")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("t=file:nothing", "failed to stat nothing: no such file or directory"),
        ("t=vault:token", "unexpected key 't' in 't=vault:token'"),
        ("t=env:", "unexpected key 't' in 't=env:'"),
        ("token", "invalid field 'token' must be a key=value pair"),
        ("src=token", "secret missing ID"),
        ("id=t,type=vault,src=token", "unsupported secret type 'vault'"),
        ("id=t,path=token", "unexpected key 'path' in 'path=token'"),
        ("id=t,src=nothing", "failed to stat nothing: no such file or directory"),
        ("id=nothing", "failed to stat nothing: no such file or directory"),
        ('id=t,"src=token', "failed to parse csv secret"),
    ],
)
def test_a_flag_that_means_nothing(file: Path, text: str, title: str) -> None:
    with pytest.raises(UsageError) as caught:
        secrets(["id=good,src=token", text])
    assert title in str(caught.value)
    assert caught.value.exit_code == 2
    assert any(word == "help" and "--secret id=" in said for word, said in caught.value.diagnostic.notes)


def test_the_size_is_limited(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(b"x" * MAX_SIZE)
    given = ClientSecrets([parse("id=t,src=token")])
    assert len(given.get("t") or b"") == MAX_SIZE
    file.write_bytes(b"x" * (MAX_SIZE + 1))
    with pytest.raises(UsageError, match=r"secret t too big\. max size 500KB"):
        parse("id=t,src=token")
    file.write_bytes(b"small")
    later = ClientSecrets([parse("id=t,src=token")])
    file.write_bytes(b"x" * (MAX_SIZE + 1))
    with pytest.raises(UserError, match="too big"):
        later.get("t")


def test_a_file_that_goes_away(file: Path) -> None:
    given = ClientSecrets([parse("id=t,src=token")])
    file.unlink()
    with pytest.raises(UserError, match=r"secret t: .*token can't be read: no such file"):
        given.get("t")


def test_paths_hold_when_the_directory_changes(file: Path) -> None:
    given = ClientSecrets([parse("id=t,src=token")])
    os.chdir("/")
    assert given.get("t") == b"from the file\n"
