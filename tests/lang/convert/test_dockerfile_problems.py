"""What can't be converted, and what means something else: said at its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lang.convert.corpus import Anywhere, mistakes

from pybuild.lang.convert import Conversion, convert_dockerfile
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.dockerfile.parse import decode, parse


def _converted(text: str, directory: Path) -> Conversion:
    return convert_dockerfile(
        parse(decode("Dockerfile", text.encode())), Anywhere(str(directory), linked=False)
    )


@pytest.mark.parametrize(
    ("text", "place", "title"),
    [
        ("FROM a\nUSER $X\n", "Dockerfile:2:1", "whether $X has a value depends on the base image"),
        ("FROM a\nARG my-arg\n", "Dockerfile:2:1", "the argument my-arg can't be converted"),
        (
            "FROM a\nCOPY --from=b /x/*.jar /app.jar\n",
            "Dockerfile:2:1",
            "a pattern that becomes a file can't be converted",
        ),
        (
            "FROM a\nARG V=1\nENV W=${V%.*}\n",
            "Dockerfile:3:1",
            "${V…} takes a part of a value that isn't known before the build",
        ),
        (
            "FROM a\nADD --checksum=sha512:" + "0" * 128 + " https://e.org/x /\n",
            "Dockerfile:2:1",
            "the checksum sha512",
        ),
        (
            "FROM a\nRUN --mount=target=. x\n",
            "Dockerfile:2:13",
            "a mount point in a directory of the base image",
        ),
        (
            "FROM a\nARG M=755\nCOPY --chmod=$M x /\n",
            "Dockerfile:3:1",
            "a mode by an argument can't be converted",
        ),
        ("FROM a\nCOPY --parents */./x /\n", "Dockerfile:2:1", "a pattern before `/./` can't be converted"),
    ],
)
def test_refusals(text: str, place: str, title: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as refused:
        _converted(text, tmp_path)
    diagnostic = refused.value.diagnostic
    assert diagnostic.title.startswith(title)
    assert diagnostic.span is not None
    assert diagnostic.span.place == place
    assert dict(diagnostic.notes)["help"]


@pytest.mark.parametrize(
    ("text", "said", "below"),
    [
        ('FROM a\nMAINTAINER me\nCMD ["x"]\n', "the image names no author: me", "cmd"),
        ("FROM a\nENV P=/x:$LIBS\n", "it is an error if the base image doesn't set LIBS", "env"),
        (
            "FROM a\nENV P=/x${LIBS:+:$LIBS}\n",
            "it counts as certain that the base image doesn't set LIBS",
            "env",
        ),
        (
            "FROM a\nHEALTHCHECK CMD x\n",
            "the config says CMD and a shell for CMD-SHELL, which runs the same",
            "healthcheck",
        ),
        ('FROM a\nONBUILD RUN x\nCMD ["x"]\n', "the image has no trigger ONBUILD RUN", "cmd"),
        (
            "FROM a\nCOPY --from=b /x/* /y/\n",
            "directories that match keep their names, and links stay links",
            "copy",
        ),
        ("FROM a\nCOPY x /y/\n", '"x" isn\'t in the context, and taken for a directory', "copy"),
        ("FROM x:onbuild\n", "triggers of the base image aren't carried out", "from"),
    ],
)
def test_differences(text: str, said: str, below: str, tmp_path: Path) -> None:
    made = _converted(text, tmp_path)
    assert [one.title for one in made.differences] == [said]
    rows = [row.strip() for row in made.text.splitlines()]
    assert rows[rows.index(f"# differs: {said}") + 1].startswith(below)
    assert not mistakes(made.text)


def test_comments_stay_where_they_stand(tmp_path: Path) -> None:
    made = _converted(
        "# escape=\\\n# Whose file it is.\n\n# What it takes.\nARG A=1\n\n# The only stage.\nFROM a:$A\n"
        "# Say it.\n\nRUN b\n# end\n",
        tmp_path,
    )
    assert made.text == (
        '# syntax=pybuild:1\n\n# Whose file it is.\n\n# What it takes.\nparam A: str = "1"\n\n'
        '# The only stage.\ntarget image:\n    from "a:${{A}}"\n    # Say it.\n\n    run b\n'
    )


def test_an_argument_of_several_defaults_is_given_once(tmp_path: Path) -> None:
    made = _converted("FROM a AS x\nARG V=1\nENV V=$V\nFROM x AS y-z\nARG V=2\nLABEL v=$V\n", tmp_path)
    assert 'param V: str = ""' in made.text
    assert 'env V = V if V != "" else "1"' in made.text
    assert 'label "v" = V if V != "" else "2"' in made.text
    assert "default y_z" in made.text
