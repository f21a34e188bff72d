"""The words of buildkitd's command line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.daemon.commandline import FALSE, TRUE, help_text, parse
from pybuild.daemon.flags import FLAGS, IGNORED, MANY, MAYBE, NUMBER, SWITCH, TEXT
from pybuild.lang.diagnostics import UsageError

VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
TAKEN = [name for name, flag in FLAGS.items() if not flag.refused and flag.kind in (TEXT, MANY)]


@given(st.lists(st.tuples(st.sampled_from(TAKEN), VALUES, st.booleans(), st.booleans())))
def test_values_are_taken_as_they_are(given_flags: list[tuple[str, str, bool, bool]]) -> None:
    words: list[str] = []
    expected: dict[str, Any] = {}
    for name, value, joined, short in given_flags:
        dashes = "-" if short else "--"
        words += [f"{dashes}{name}={value}"] if joined else [f"{dashes}{name}", value]
        if FLAGS[name].kind == MANY:
            expected.setdefault(name, []).append(value)
        else:
            expected[name] = value
    assert parse(words) == expected


@given(
    st.sampled_from([name for name, flag in FLAGS.items() if flag.kind == SWITCH and not flag.refused]),
    st.data(),
)
def test_switches_stand_alone_or_with_a_truth_value(name: str, data: st.DataObject) -> None:
    assert parse([f"--{name}"]) == {name: True}
    assert parse([f"--{name}={data.draw(st.sampled_from(sorted(TRUE)))}"]) == {name: True}
    assert parse([f"--{name}={data.draw(st.sampled_from(sorted(FALSE)))}"]) == {name: False}


@pytest.mark.parametrize(
    "refused", ["--rootless=maybe", "--oci-worker-gc-keepstorage=many", "--oci-worker=2"]
)
def test_other_values_are_refused(refused: str) -> None:
    with pytest.raises(UsageError, match=refused.partition("=")[0]):
        parse([refused])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--oci-worker"], True),
        (["--oci-worker", "true"], True),
        (["--oci-worker", "false"], False),
        (["--oci-worker=auto"], "auto"),
        (["-oci-worker=false"], False),
        (["--oci-worker", "--debug"], True),
    ],
)
def test_a_worker_may_be_left_to_the_daemon(words: list[str], expected: object) -> None:
    assert parse(words)["oci-worker"] == expected


@pytest.mark.parametrize(
    "word", ["--containerd-worker=false", "--containerd-worker=auto", "--containerd-worker=0"]
)
def test_leaving_out_what_there_is_not_is_taken(word: str) -> None:
    assert parse([word, "--containerd-worker-addr=/x", "--containerd-worker-gc"])["containerd-worker"] in (
        False,
        "auto",
    )


@pytest.mark.parametrize("name", [name for name, flag in FLAGS.items() if flag.refused])
def test_what_is_not_done_is_refused_by_name(name: str) -> None:
    with pytest.raises(UsageError, match=f"^--{name} is not supported: "):
        parse([f"--{name}={'true' if FLAGS[name].kind in (SWITCH, MAYBE) else 'x'}"])


@pytest.mark.parametrize(
    ("words", "said", "help"),
    [
        (["--adr", "unix:///x"], "no such flag: --adr", "did you mean --addr?"),
        (["serve"], "unexpected argument 'serve'", "flags alone"),
        (["--addr"], "--addr needs a value", "--help"),
    ],
)
def test_mistakes(words: list[str], said: str, help: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert str(caught.value) == said
    assert any(help in text for _, text in caught.value.diagnostic.notes)


def test_help_names_every_flag_that_is_taken() -> None:
    text = help_text()
    for name, flag in FLAGS.items():
        assert (f"--{name} " in text or f"--{name}\n" in text) != bool(flag.refused)


@given(st.lists(st.one_of(VALUES, st.sampled_from([f"--{name}" for name in (*FLAGS, *IGNORED)])), max_size=6))
def test_nothing_else_comes_of_any_words(words: list[str]) -> None:
    try:
        parse(words)
    except UsageError:
        pass


@given(st.integers())
def test_numbers(value: int) -> None:
    names = [name for name, flag in FLAGS.items() if flag.kind == NUMBER]
    assert [parse([f"--{name}", str(value)])[name] for name in names] == [value] * len(names)
