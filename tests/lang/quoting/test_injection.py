"""No value becomes code, wherever it stands, in scripts that are right and in scripts that are not."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from tests.lang.quoting.attacks import ATTACKS
from tests.lang.quoting.shell import RANDOMLY, SHELLS, run
from tests.lang.quoting.soup import soup

from pybuild.lang import recipe
from pybuild.lang.quoting.quote import CannotQuote, quote

pytestmark = pytest.mark.long

SCRIPTS = 2500


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "script",
    [
        ("p 1 ", "\n"),
        ('p 1 "', '"\n'),
        ("p 1 '", "'\n"),
        ("h 1 <<EOF\n", "\nEOF\n"),
        ("h 1 <<-EOF\n", "\nEOF\n"),
        ("h 1 <<'EOF'\n", "\nEOF\n"),
        ("h 1 <<EOF\nEO", "\nEOF\n"),
        ("h 1 <<EOF\nEO\\\n", "\nEOF\n"),
        ("X=$(h 1 <<EOF\n", "\nEOF\n)\n"),
        ("X=\"$(h 1 <<EOF\n$(p 2 '", "')\nEOF\n)\"\n"),
        ("# ", "\n"),
        ("p 1 `", "`\n"),
        ("p 1 ${X:-", "}\n"),
        ("p 1 $((1+", "))\n"),
        ("", " x\n"),
        ("p 1 \\", "\n"),
        ('p 1 "\\', '"\n'),
        ('p 1 "$', '"\n'),
        ("case x in x", ") ;; esac\n"),
        ("a[", "]=1\n"),
        ("[[ ", " -eq 1 ]]\n"),
        ("[[ '", "' -eq 1 ]]\n"),
        ("((x=", "))\n"),
        ("p 1 >/dev/null", "\n"),
        ("p 1 $'", "'\n"),
        ('p 1 $"', '"\n'),
        ('p "${X:-\'"', '"\'}"\n'),
        ("p 1 >&", "\n"),
        ("p 1 >&'", "'\n"),
        ("declare -i a; a=", "\n"),
        ("declare -a a=", "\n"),
        ('a=(); declare a="', '"\n'),
        ("declare -n a=", "; a=1\n"),
        ("PS4=", "; set -x; :\n"),
        ("RANDOM=", "\n"),
        ("h 1 <<EOF; p 1 ", "\nEOF\n"),
    ],
)
def test_nothing_is_injected(script: tuple[str, str], shell: str, tmp_path: Path) -> None:
    for attack in ATTACKS:
        try:
            text = quote(
                (script[0], recipe.Splice(attack), script[1]), shell=("bash", "-c"), interpreter=False
            )
        except CannotQuote:
            continue
        run(shell, text, cwd=tmp_path)
        assert not (tmp_path / "pwned").exists(), text


@pytest.mark.parametrize("shell", RANDOMLY)
def test_nothing_is_injected_into_what_is_no_script(shell: str, tmp_path: Path) -> None:
    """Shells run what they can of a text. None may come to a value as code, however they read it."""
    chooser = random.Random(f"soup {shell}")
    work = tmp_path / "work"
    work.mkdir()
    kept = {}
    for number in range(SCRIPTS):
        script = [
            recipe.Splice(chooser.choice(ATTACKS).replace("pwned", f"pwned{number}_"))
            if part is None
            else part
            for part in soup(chooser)
        ]
        try:
            kept[number] = quote(tuple(script), shell=("/bin/sh", "-c"), interpreter=False)
        except CannotQuote:
            continue
        (tmp_path / f"script{number}").write_text(kept[number], encoding="utf-8")
    driver = "".join(f"( . ../script{number} ) </dev/null >/dev/null 2>&1\n" for number in kept)
    (tmp_path / "driver").write_text(f"p() {{ :; }}\n{driver}: > ../finished\n")
    subprocess.run(
        [*SHELLS[shell], "../driver"], cwd=work, env={"PATH": "/usr/bin:/bin"}, timeout=120, check=False
    )
    assert (tmp_path / "finished").exists()
    assert len(kept) > SCRIPTS / 4
    done = [kept[number] for number in kept if (work / f"pwned{number}_").exists()]
    assert not done, done[0]
