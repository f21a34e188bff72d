"""Command lines and results as an impatient user has them: selections, values, locales, precious directories."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.language.project import Project

pytestmark = [pytest.mark.root, pytest.mark.crun]

HOSTILE = "$(touch /pwn)'\"`touch /pwn`;touch /pwn\n"


def test_names_of_files_do_not_depend_on_the_locale(project: Project) -> None:
    project.write(
        """
target a:
    from scratch
    copy "ü" to "/ü"
    copy glob("*.ö") to "/all/"
    output "/" to "out"
""",
        {"ü": "1", "é.ö": "2"},
    )
    here = project.build("-q").out
    there = project.build("-q", LC_ALL="POSIX", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0").out
    assert here == there
    assert project.names("out") == ["all/é.ö", "ü"]


def test_titles_of_instances_can_be_pasted(project: Project) -> None:
    project.write(
        """
target a for x in ["b,c", 'q"q', "d e"]:
    from BASE
    run false
"""
    )
    printed = project.build('a[x="b,c"]', code=1).err
    assert '`a[x="b,c"]`' in printed
    printed = project.build(r'a[x="q\"q"]', code=1).err
    assert r'`a[x="q\"q"]`' in printed
    assert "`a[x=d e]`" in project.build("a[x=d e]", code=1).err


@pytest.mark.parametrize("text", ["a[x=b", "a[", "a[x=b] "])
def test_a_selection_without_its_end(project: Project, text: str) -> None:
    project.write("target a:\n    from scratch\n")
    assert "NAME[axis=value,…]" in project.build(text, code=2).err


def test_what_a_param_wants(project: Project) -> None:
    project.write(
        """
param b: bool = true
param m: map[str] = {}
param n: list[int] = []
param i: int = 1

target a:
    from scratch
    env B = str(b), N = str(len(n)), M = str(len(m)), I = i
"""
    )
    printed = project.build("-p", "b=", code=2).err
    assert "the empty text is no value for `b`" in printed
    assert "did you mean" not in printed
    assert "is a string" in project.build("-p", 'm={"a": 1}', code=2).err
    assert "is a whole number" in project.build("-p", "n=1,x", code=2).err
    assert "did you mean `9223372036854775807`?" in project.build("-p", f"i={2**70}", code=2).err


def test_a_secret_from_a_variable_that_is_not_set(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    with secret("token", env="TOKEN"):
        run true
"""
    )
    printed = project.build("--secret", "token=env:MISSING", code=2).err
    assert "the variable MISSING is not set" in printed
    project.build("--secret", "token=env:MISSING", MISSING="x")


def test_clean_spares_repositories(project: Project) -> None:
    project.write(
        """
target a:
    from scratch
    write "x" to "/d/f"
    output "/d" to "pages", clean=true

target b:
    from a
    output "/d" to ".git/hooks", clean=true
""",
        {"pages/.git": "gitdir: elsewhere\n", "pages/old": "", ".git/hooks/pre-push": "mine"},
    )
    assert "a directory with a repository" in project.build("a", code=1).err
    assert project.names("pages") == [".git", "old"]
    assert "would empty a repository" in project.build("b", code=1).err
    assert project.text(".git/hooks/pre-push") == "mine"


def test_a_variable_of_a_form_that_no_shell_reads(project: Project) -> None:
    for text in ("${NOPE:-d}", "$(id)"):
        project.write(f'target a:\n    from scratch\n    env A = "{text}"\n')
        printed = project.build(code=2).err
        assert "is not the form of a variable" in printed
        assert 'env  = "' not in printed


def test_a_script_whose_interpreter_is_missing(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    run:
        #!/bin/nowhere
        x
"""
    )
    printed = project.build(code=1).err
    assert "its interpreter is missing, perhaps" in printed
    assert '"msg"' not in printed


def test_hostile_values_are_data_everywhere(project: Project) -> None:
    project.write(
        """
param n: str

target a:
    from BASE
    env A = n, B = "x ${{n}}"
    label "l" = n
    write n to "/n"
    with env(C=n, D="${{n}}"):
        run test "$C" = "$D" && test "$A" = "$C"
    run:
        printf %s ${{n}} | cmp - /n
        printf %s '${{n}}' | cmp - /n
        printf %sx "${{n}}" > /1; printf %s "$(printf '%sx' ${{n}})" > /2; cmp /1 /2
    exec ["/bin/sh", "-c", "test \\"$0\\" = \\"$1\\"", n, n]
    run test ! -e /pwn
    output "/n" to "n"
"""
    )
    project.build("-p", f"n={HOSTILE}")
    assert project.text("n") == HOSTILE
    assert not Path("/pwn").exists()


def test_hostile_names_of_branches_and_files_are_data(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    run printf '%s|' ${{vcs.branch}} "${{vcs.tag}}" ${{glob("*.txt")}} > /o && test ! -e /pwn
    output "/o" to "o"
""",
        {"$(touch pwn).txt": "", "-rf.txt": "", "a'b.txt": "", "n\nl.txt": "", "x;y.txt": ""},
    )
    project.git("init", "-q", "-b", "main")
    project.git("add", ".")
    project.git("commit", "-qm", "x")
    branch, tag = "a;touch${IFS}pwn;$(id)`id`'\"x", "v1;rm$(id)'\""
    project.git("checkout", "-qb", branch)
    project.git("tag", tag)
    project.build()
    names = ["$(touch pwn).txt", "-rf.txt", "a'b.txt", "n\nl.txt", "x;y.txt"]
    assert project.text("o") == "|".join([branch, tag, *names]) + "|"


def test_a_link_that_an_earlier_output_left_leads_nowhere(project: Project) -> None:
    outside = project.place / "outside"
    outside.mkdir()
    project.write(
        f"""
target a:
    from BASE
    run mkdir /o && ln -s {outside} /o/l
    output "/o" to "o"

target b:
    from BASE
    run mkdir -p /o/l && echo x > /o/l/x
    output "/o" to "o"

target c:
    from BASE
    run echo x > /x
    output "/x" to "o/l/x"
"""
    )
    project.build("a")
    assert (project.directory / "o/l").is_symlink()
    assert "E0904" in project.build("c", code=1).err
    project.build("b")
    assert project.text("o/l/x") == "x\n"
    assert list(outside.iterdir()) == []
