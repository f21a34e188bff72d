"""Words with arguments come to the same: what a Dockerfile's LABEL holds, a `label` of what it is converted to holds,
whatever the arguments are given."""

from __future__ import annotations

from pathlib import Path

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.compiler.lower.dockerfile.world import World
from tests.lang.convert.corpus import Anywhere
from tests.lang.textual.expand.programs import Asked, Outside
from tests.lang.textual.worlds import World as Files

from pybuild.compiler.lower.dockerfile import LowerOptions, lower
from pybuild.compiler.ops import Platform
from pybuild.lang import recipe
from pybuild.lang.convert import convert_dockerfile
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.dockerfile.parse import decode, parse
from pybuild.lang.textual.expand.expand import expand
from pybuild.lang.textual.load import load

PIECES = [
    "$A",
    "${B}",
    "${C}",
    "$D",
    "${TARGETARCH}",
    "-",
    "v",
    "'$A'",
    '"$B c"',
    "\\\\$A",
    "${B:-x}",
    "${C:+y$A}",
    "${B-u}",
    "${C+w}",
    "${A:-$B}",
    "${B:+${C:-z}}",
    "${A#1.}",
    "${C%.x}",
    "${A//./_}",
    "'${A#1.}'",
    "${NONE:-n}",
    "${E:+e}",
    "{",
    "$",
]
VALUES = st.sampled_from(["", "1.2", "a b", "$A", '"', "v.x", "${{A}}"])


def _label_of_dockerfile(text: str, args: dict[str, str]) -> str:
    options = LowerOptions(
        build_args=args,
        target_platform=Platform("amd64", "linux"),
        build_platforms=(Platform("amd64", "linux"),),
    )
    image = lower(parse(decode("Dockerfile", text.encode())), options, World()).image
    return image.config.labels["l"]


def _label_of_program(text: str, args: dict[str, str]) -> str:
    world = Files({"build.pybuild": text})
    loaded = load(world.root("build.pybuild"), world)
    assert loaded.program is not None
    assert not [one for one in loaded.diagnostics if one.level == "error"], text
    found = expand(loaded.program, Asked(params=args).options, Outside())
    state = found.requested[0].instances[0].body.state
    while isinstance(state, recipe.Step):
        if isinstance(state.statement, recipe.Labels):
            return dict(state.statement.values)["l"]
        state = state.before
    raise AssertionError("no label")


@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join),
    st.dictionaries(st.sampled_from(["A", "B", "C"]), VALUES),
)
@settings(max_examples=60, deadline=None)
def test_a_word_comes_to_the_same(tmp_path_factory, word: str, args: dict[str, str]) -> None:  # type: ignore[no-untyped-def]
    # What is given as empty counts as not given where it has no default: a difference that is marked.
    assume(all(value or name == "A" for name, value in args.items()))
    text = (
        "FROM scratch\nARG A=1.2\nARG B\nARG C\nARG TARGETARCH\nENV D=$A-d E=\n"
        f"ARG C=${{B:-v.x}}\nLABEL l=.{word}\n"
    )
    try:
        wanted = _label_of_dockerfile(text, args)
    except SourceError:
        return
    directory = Path(tmp_path_factory.getbasetemp())
    try:
        made = convert_dockerfile(
            parse(decode("Dockerfile", text.encode())), Anywhere(str(directory), linked=False)
        )
    except SourceError as refused:
        title = refused.diagnostic.title
        if "takes a part of" not in title and "more cases" not in title:
            raise
        return
    assert _label_of_program(made.text, args) == wanted, made.text
