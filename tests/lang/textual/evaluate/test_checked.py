"""Whatever the checker lets through has a value, or is refused by a message with a place."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.lang.textual.evaluate.scenes import Outside
from tests.lang.textual.worlds import PROJECT, World

from pybuild.lang.diagnostics import SourceErrors
from pybuild.lang.textual.check.check import checked
from pybuild.lang.textual.expand.expand import expand
from pybuild.lang.textual.expand.options import EVERYTHING, ExpandOptions
from pybuild.lang.textual.load import load

FILES = {"a.txt": "1.2\n", "b.toml": 'a.b = "x"\n', "c/d.txt": "", "Dockerfile": "FROM scratch\n"}

PROGRAM = """# syntax=pybuild:1

param mode: "dev" | "prod" = "dev"
param cuda: version = "12.4.1"
param xs: list[str] = ["a", "b"]
param where: path = "/srv"
let ports = {"api": 8080}
let dollar = "$HOME/x"

def pick(a: str, n: int = 1) -> list[str]:
    return [a + str(n), "z"]

target other for k in ["p", "q"]:
    from scratch
    write "x" to "/x"

target t:
    from scratch
    let it = %s
"""

FORMS: dict[str, list[str]] = {
    kind: [line.strip() for line in lines.strip().split("\n")]
    for kind, lines in {
        "ANY": """
            <TEXT>
            <INT>
            <BOOL>
            <TEXTS>
            <MAP>
            <VERSION>
            <DURATION>
            <OPTION>
            <STATE>
        """,
        "SCALAR": """
            <TEXT>
            <INT>
            <BOOL>
            <VERSION>
            <DURATION>
        """,
        "TEXT": """
            "a"
            ""
            "1.2"
            "a/b"
            "/a/b"
            "$X"
            "linux/amd64"
            "https://x.org/a.git"
            "a.txt"
            "*"
            mode
            where
            dollar
            cuda
            platform
            vcs.commit
            platform.arch
            xs[0]
            (<TEXT> + <TEXT>)
            (<TEXT> if <BOOL> else <TEXT>)
            "<<${{<SCALAR>}}>"
            str(<SCALAR>)
            <TEXTS>[<INT>]
            <TEXT>.join(<TEXTS>)
            <TEXT>.upper()
            <TEXT>.strip()
            <TEXT>.replace(<TEXT>, <TEXT>)
            <TEXT>.removeprefix(<TEXT>)
            raw(<TEXT>)
            read(<TEXT>)
            read_toml(<TEXT>, <TEXT>)
        """,
        "INT": """
            1
            0
            -3
            9223372036854775807
            ports["api"]
            vcs.epoch
            cuda.major
            (<INT> + <INT>)
            (<INT> * <INT>)
            (<INT> // <INT>)
            (<INT> % <INT>)
            -(<INT>)
            len(<TEXT>)
            len(<TEXTS>)
            len(<MAP>)
            int(<TEXT>)
            ports[<TEXT>]
            ports.get(<TEXT>, <INT>)
            <VERSION>.minor
            (<INT> if <BOOL> else <INT>)
        """,
        "BOOL": """
            true
            false
            vcs.dirty
            (<TEXT> == <TEXT>)
            (<VERSION> == <VERSION>)
            (<TEXTS> != <TEXTS>)
            (<MAP> == <MAP>)
            (<INT> < <INT>)
            (<VERSION> >= <VERSION>)
            (<DURATION> <= <DURATION>)
            (<TEXT> in <TEXT>)
            (<TEXT> in <TEXTS>)
            (<TEXT> not in <MAP>)
            (<BOOL> and <BOOL>)
            (<BOOL> or <BOOL>)
            (not <BOOL>)
            <TEXT>.startswith(<TEXT>)
        """,
        "TEXTS": """
            xs
            ["a"]
            [cuda]
            ports.keys()
            glob("*.txt")
            [<TEXT>, <TEXT>]
            (<TEXTS> + <TEXTS>)
            [y + <TEXT> for y in <TEXTS>]
            [y for y in <TEXTS> if y == <TEXT>]
            sorted(<TEXTS>)
            <TEXT>.split(<TEXT>)
            pick(<TEXT>)
            pick(<TEXT>, n=<INT>)
            glob(<TEXT>)
            read_lines(<TEXT>)
            <MAP>.values()
        """,
        "MAP": """
            {"a": "b"}
            {<TEXT>: <TEXT>}
            {y: <TEXT> for y in <TEXTS>}
            (<MAP> if <BOOL> else <MAP>)
        """,
        "VERSION": """
            cuda
            version("1.10-rc1")
            version(<TEXT>)
            (<VERSION> if <BOOL> else <VERSION>)
        """,
        "DURATION": """
            30s
            250ms
            (<DURATION> + <DURATION>)
            (<DURATION> * <INT>)
        """,
        "OPTION": """
            ssh()
            uncached()
            secret("a")
            cache(<TEXT>, id=<TEXT>, uid=<INT>)
            bind(<STATE>, at=<TEXT>)
            secret(<TEXT>, at=<TEXT>)
            secret(<TEXT>, env=<TEXT>)
            tmpfs(<TEXT>)
            env(A=<TEXT>, B=<INT>)
            user(<TEXT>)
            network("none")
            network(<TEXT>)
            limits(cpus=<INT>)
            device(<TEXT>, optional=<BOOL>)
        """,
        "STATE": """
            scratch
            context
            this
            other[k="p"]
            image("alpine")
            image(<TEXT>)
            image(<TEXT>, platform=<TEXT>)
            git(<TEXT>, ref=<TEXT>, subdir=<TEXT>)
            git(<TEXT>, auth=[<OPTION>])
            http(<TEXT>, sha256=<TEXT>, strip=<INT>)
            local(<TEXT>, exclude=<TEXTS>)
            oci(<TEXT>)
            dockerfile(<TEXT>, context=<STATE>, args=<MAP>)
            host(<TEXTS>)
            merge(<STATE>, <STATE>)
            diff(<STATE>, <STATE>)
            other[k=<TEXT>]
            (<STATE> if <BOOL> else <STATE>)
        """,
    }.items()
}
"""Expressions by what they give; a kind in angle brackets is a part. The first ones have no parts."""

_PART = re.compile(r"<([A-Z]+)>")


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """An expression in which every part may be another one, up to some size."""
    left = draw(st.integers(1, 15))
    text = "<ANY>"
    while (part := _PART.search(text)) is not None:
        forms = FORMS[part[1]]
        if left <= 0:
            forms = [one for one in forms if not _PART.search(one)] or forms
        left -= 1
        text = text[: part.start()] + draw(st.sampled_from(forms)) + text[part.end() :]
    return text


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(expressions())
@example('"1.2" + cuda')
@example("sorted([cuda, mode])")
@example("[x for x in glob(mode)]")
@example('{cuda: 1}["12.4.1"]')
@example('diff(other[k="p"], this)')
def test_what_is_checked_has_a_value(text: str) -> None:
    run(text)


def run(text: str) -> bool:
    """Whether the checker lets it through."""
    world = World({"build.pybuild": PROGRAM % text, **FILES})
    loaded = load(world.root(), world)
    if loaded.program is None or any(one.level == "error" for one in loaded.diagnostics):
        return False
    if any(one.level == "error" for one in checked(loaded.program).diagnostics):
        return False
    options = ExpandOptions(PROJECT, PROJECT, "linux/amd64", wanted=EVERYTHING)
    try:
        expand(loaded.program, options, Outside())
    except SourceErrors as error:
        for one in error.diagnostics:
            assert one.code
            assert one.span is not None
    return True
