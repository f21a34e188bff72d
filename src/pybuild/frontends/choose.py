"""Makes the frontend of a request's build file.

`BuildContext.frontend` says which one it is, by BUILDKIT_SYNTAX, the syntax line or the file's name. For clients of
BuildKit `gateway.py` goes by the name that they request, and `dockerfile_v0.py` by the file.
"""

from __future__ import annotations

from pybuild.frontends.build_context import ContextFrontend
from pybuild.lang.frontends import PLUGIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.frontends.build_context import BuildContext
    from pybuild.frontends.types import Frontend, Solution
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.dockerfile.reader import Warn
    from pybuild.runtime.bridge.gateway import Gateway


def choose(context: BuildContext, warn: Warn | None) -> Frontend:
    """Return the frontend of a build file. Raises UserError for a file that it can't read."""
    inputs, frontend = context.inputs, context.frontend
    if frontend.records:
        from pybuild.frontends.language import LanguageFrontend

        return LanguageFrontend(context, warn or _silent)
    if inputs.data is None and (inputs.url is not None or not frontend.is_image):
        return FetchingFrontend(context, choose)
    if frontend.kind == PLUGIN:
        from pybuild.frontends.plugin import PluginFrontend

        return PluginFrontend(context)
    if frontend.is_image:
        from pybuild.frontends.image import ImageFrontend

        return ImageFrontend(context)
    return choose_dockerfile(context, warn)


def choose_dockerfile(context: BuildContext, warn: Warn | None = None) -> Frontend:
    """Return the Dockerfile frontend, for commands that are for Dockerfiles alone. Without `warn` the file is not
    parsed. Raises UserError for a file of another frontend."""
    from pybuild.frontends.dockerfile import DockerfileFrontend

    if context.inputs.data is None:
        return FetchingFrontend(context, choose_dockerfile)
    return DockerfileFrontend(context, warn)


def choose_answering(context: BuildContext, warn: Warn | None = None) -> Frontend:
    """Return a frontend that answers questions about a build: the Dockerfile's, or one that an image holds. Raises
    UserError for a file of another one."""
    if context.inputs.data is None:
        return FetchingFrontend(context, choose_answering)
    return choose(context, warn) if context.frontend.is_image else choose_dockerfile(context)


def fetched_frontend(frontend: Frontend, gateway: Gateway) -> Frontend:
    """Return the frontend itself, chosen once its file has been fetched if that is needed. Raises UserError,
    Cancelled."""
    return frontend.fetch(gateway) if isinstance(frontend, FetchingFrontend) else frontend


def _silent(warning: Diagnostic) -> None:
    pass


class FetchingFrontend(ContextFrontend):
    """The stand-in for the frontend of a build file that has to be fetched before `choose` can choose one.
    See `types.Frontend`."""

    fetches = True

    def __init__(
        self, context: BuildContext, choose: Callable[[BuildContext, Warn | None], Frontend]
    ) -> None:
        super().__init__(context)
        self._choose = choose

    def fetch(self, gateway: Gateway) -> Frontend:
        """Fetch the build file and return the frontend that it names. Raises UserError, Cancelled."""
        from pybuild.frontends.remote_context import fetched

        return self._choose(fetched(self._context, gateway), gateway.warn)

    def solve(self, gateway: Gateway) -> Solution:
        return self.fetch(gateway).solve(gateway)
