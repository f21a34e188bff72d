"""A frontend that is an image: a base, files and commands, one a line."""

from pybuild.compiler.ops import Platform
from pybuild.compiler.state import copy
from pybuild.lang.diagnostics import source_error
from pybuild.lang.source import Span
from pybuild.sdk import Base, Built, BuiltImage, Client, FrontendInputs, run


def build(client: Client, inputs: FrontendInputs) -> Built:
    return Built(image(client, inputs, platform) for platform in inputs.platforms)


def image(client: Client, inputs: FrontendInputs, platform: Platform) -> BuiltImage:
    base = Base.scratch(platform)
    state = base.state
    for number, line in enumerate(inputs.source.text.splitlines(), 1):
        word, _, rest = line.partition(" ")
        if word == "from":
            base = inputs.base(rest, platform, client)
            state = base.state
        elif word == "copy":
            state = state.file(copy(inputs.context.state(rest), rest, "/", create_dest_path=True))
        elif word == "run":
            state = state.run(shell=rest)
        elif line and not line.startswith("#"):
            place = Span(inputs.source, number, 1, number, len(word) + 1)
            raise source_error(f"unknown word {word}", place, help="a line begins with from, copy or run")
    return base.built(state)


if __name__ == "__main__":
    run(build)
