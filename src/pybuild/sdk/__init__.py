"""Frontends as images: a Python program that any BuildKit-compatible builder runs for the build files that name it.

    from pybuild.sdk import Built, Client, FrontendInputs, run

    def build(client: Client, inputs: FrontendInputs) -> Built:
        base = inputs.base("alpine", inputs.platforms[0], client)
        return Built(base.built(base.state.run(shell=inputs.source.text)))

    run(build)

The function is that of a frontend of an installed package too (`pybuild.compiler.frontend`): states, contexts and
images are the same, and one frontend can be both.
"""

from pybuild.compiler.frontend import Base, Built, BuiltImage, Context, FrontendInputs
from pybuild.compiler.gateway import Request, Result
from pybuild.compiler.image import Image
from pybuild.compiler.state import State
from pybuild.sdk.client import Client
from pybuild.sdk.running import Build, run

__all__ = [
    "Base",
    "Build",
    "Built",
    "BuiltImage",
    "Client",
    "Context",
    "FrontendInputs",
    "Image",
    "Request",
    "Result",
    "State",
    "run",
]
