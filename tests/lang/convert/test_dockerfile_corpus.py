"""The corpus, converted: what comes out is right as far as the check can tell, in the formatter's form, and the same
each time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.corpus.sample import Sample, names
from tests.lang.convert.corpus import Anywhere, mistakes

from pybuild.lang.convert import convert_dockerfile
from pybuild.lang.convert.pythonsource import python_source
from pybuild.lang.diagnostics import SourceError, render
from pybuild.lang.source import Source
from pybuild.lang.textual.fmt import format_source
from pybuild.lang.textual.parse import parse

REFUSED = {
    "SeleniumHQ__docker-selenium": "whether $SEL_UID has a value depends on the base image",
    "kubernetes-sigs__kind": "a pattern that becomes a file can't be converted",
}
"""What can't be converted even where base images are known."""

UNLINKED = {
    *REFUSED,
    "docker__docs",
    "go-gitea__gitea",
    "jupyter__docker-stacks",
    "moby__buildkit",
}
"""What needs to know of its base image where it works, or what it has for a variable."""


@pytest.mark.parametrize("name", names())
def test_a_file_of_the_corpus(name: str, tmp_path: Path) -> None:
    dockerfile = Sample(name).dockerfile
    if name in REFUSED:
        with pytest.raises(SourceError, match=re.escape(REFUSED[name])) as refused:
            convert_dockerfile(dockerfile, Anywhere(str(tmp_path), linked=True))
        assert refused.value.diagnostic.span is not None
        return
    made = convert_dockerfile(dockerfile, Anywhere(str(tmp_path), linked=name in UNLINKED))
    assert not mistakes(made.text), "\n".join(map(render, mistakes(made.text)))
    assert format_source("build.pybuild", made.text.encode()) == made.text
    assert len({one.title for one in made.differences}) == len(
        {line.strip() for line in made.text.splitlines() if "# differs: " in line and "param" not in line}
        - {line.strip() for line in made.text.splitlines() if "is one that isn't given" in line}
    )


@pytest.mark.parametrize("name", sorted(UNLINKED))
def test_what_depends_on_the_base_image_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as refused:
        convert_dockerfile(Sample(name).dockerfile, Anywhere(str(tmp_path), linked=False))
    diagnostic = refused.value.diagnostic
    assert diagnostic.span is not None
    assert "help" in dict(diagnostic.notes)


@pytest.mark.parametrize("name", ["astral-sh__uv", "mastodon__mastodon", "moby__moby"])
def test_the_same_bytes_each_time_and_a_module_of_it(name: str, tmp_path: Path) -> None:
    dockerfile = Sample(name).dockerfile
    first, second = (convert_dockerfile(dockerfile, Anywhere(str(tmp_path), linked=False)) for _ in range(2))
    assert first.text == second.text
    module = python_source(parse(Source("build.pybuild", first.text)).file)
    compile(module, "build.py", "exec")
