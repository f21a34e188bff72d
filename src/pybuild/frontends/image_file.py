"""A build of a file that a frontend of an image reads, as it is asked for.

The frontend is called as by any client of BuildKit: with attributes, and the directories `context` and `dockerfile`.
"""

from __future__ import annotations

import os

from pybuild.build.context import ContextBuild, check_single
from pybuild.build.dockerfiles import CONTEXT, wants_index
from pybuild.build.inputs import DOCKERFILES, STDIN
from pybuild.build.plan import Plan
from pybuild.compiler import platforms
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.lang.dockerfile.parse import decode
from pybuild.lang.frontends import detect_syntax, not_installed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.build.inputs import Inputs
    from pybuild.compiler.gateway import Result
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.progress.observer import Observer

_FILE_DIRECTORY = "dockerfile"
_LAYOUT = "oci-layout://"
_SUBREQUESTS = "moby.buildkit.frontend.subrequests"


class ImageFrontendBuild(ContextBuild):
    """See `build.Asked`. What the file asks for is known before anything is opened; the image is fetched when it is
    called."""

    fetches = True  # the image, and what it asks for

    def __init__(self, request: BuildRequest, inputs: Inputs) -> None:
        """Raises UsageError for what no frontend of an image takes."""
        check_single(request, "a frontend")
        super().__init__(request, inputs)

    def plan(self, engine: Engine, observer: Observer) -> Plan:
        """Have the frontend make the graph. Raises UserError, Cancelled."""
        from pybuild.frontends.goals import goal_of

        if self.inputs.url is not None and self.inputs.dockerfile is None:
            from pybuild.build.remote_context import fetch_dockerfile
            from pybuild.runtime.bridge.bridge import local_bridge

            fetch_dockerfile(self.inputs, local_bridge(engine, observer))
        result = self._result(engine, observer)
        goal = goal_of(
            result, epoch=self._epoch, tags=self.request.tags, index=wants_index(self.request, self.args)
        )
        return Plan(
            [goal],
            engine.client.directories,
            engine.client.named,
            consulted={**self.inputs.consulted, **self.named.consulted},
            names=[name for name, value in self.request.build_args if value is None],
            trees=list(engine.local_trees.values()),
            still=False,
        )

    def answer(self, question: str, engine: Engine, observer: Observer) -> Mapping[str, bytes]:
        """What the frontend says to a question in place of a build: metadata such as `result.json`. Raises UserError,
        Cancelled."""
        return self._result(engine, observer, question).metadata

    def _result(self, engine: Engine, observer: Observer, question: str = "") -> Result:
        from pybuild.compiler.gateway import Request
        from pybuild.frontends.error_places import place_error
        from pybuild.frontends.registry import IMAGE, open_gateway

        syntax = None
        command_line = self.args.get("BUILDKIT_SYNTAX", "").strip()
        if not command_line:
            syntax = detect_syntax(self.inputs.dockerfile or b"")
            command_line = syntax.command_line if syntax is not None else ""
        try:
            options = self._options(command_line, engine)
            if question:
                capabilities = (options.get("frontend.caps"), _SUBREQUESTS)
                options |= {"requestid": question, "frontend.caps": ",".join(filter(None, capabilities))}
            return open_gateway(engine, observer).solve(Request(frontend=IMAGE, options=options))
        except Cancelled:
            raise
        except UserError as error:
            place_error(error, syntax, decode(self.inputs.name, self.inputs.dockerfile or b""), command_line)
            _suggest_package(error, command_line.partition(" ")[0])
            raise

    def _options(self, command_line: str, engine: Engine) -> dict[str, str]:
        """The attributes of the frontend; puts the directories in place that they name."""
        from pybuild.frontends.attributes_of_request import attributes_of

        inputs = self.inputs
        found = {"cmdline": command_line, "source": command_line.partition(" ")[0]}
        if inputs.remote is not None:
            found["context"] = inputs.remote
        elif inputs.archive is not None:
            found["context"] = self._upload(engine)
        if self._apart:
            engine.client.provide(directories={_FILE_DIRECTORY: os.fsencode(self._file_directory(engine))})
            if "context" in found:
                found["dockerfilekey"] = _FILE_DIRECTORY
        contexts = self._contexts(engine)
        filename = os.path.basename(inputs.name) if self._apart else inputs.name
        return attributes_of(self.request, self.args, contexts, filename or DOCKERFILES[0]) | found

    @property
    def _apart(self) -> bool:
        """Whether the build file does not come with the context."""
        inputs = self.inputs
        within = inputs.remote is not None or inputs.archive is not None
        return not within or inputs.url is not None or self.request.file == STDIN

    def _file_directory(self, engine: Engine) -> str:
        """The directory that has the build file, and what lies beside it."""
        inputs = self.inputs
        if inputs.url is None and self.request.file != STDIN and os.path.exists(inputs.name):
            return os.path.dirname(os.path.abspath(inputs.name))
        directory = os.path.join(engine.store.work, _FILE_DIRECTORY)
        os.makedirs(directory, 0o700, exist_ok=True)
        inputs.name = inputs.name or DOCKERFILES[0]
        with open(os.path.join(directory, os.path.basename(inputs.name)), "wb") as file:
            file.write(inputs.dockerfile or b"")
        return directory

    def _upload(self, engine: Engine) -> str:
        """The address at which the client sends the archive from standard input."""
        from pybuild.compiler.remote import FILE
        from pybuild.runtime.clients.localclient import LocalClient
        from pybuild.runtime.session.types import UPLOADS

        assert isinstance(engine.client, LocalClient)
        archive = os.path.join(os.fsdecode(engine.client.directories[CONTEXT]), FILE)
        engine.client.provide_upload(CONTEXT, archive)
        return f"http://{UPLOADS}/{CONTEXT}"

    def _contexts(self, engine: Engine) -> Mapping[str, str]:
        """The named contexts. Images of layouts are pinned, each in a content store whose name any frontend takes."""
        found = dict(self.named.sources)
        for number, (name, place) in enumerate(sorted(engine.client.named.items())):
            if found.get(name) != _LAYOUT + name:
                continue
            store = f"layout{number}"
            engine.client.provide(images={store: place})
            resolved = engine.images.resolve_named(store, platforms.default(), engine.cancellation)
            found[name] = f"{_LAYOUT}{store}@{resolved.digest}"
        return found

    @property
    def _epoch(self) -> int | None:
        """SOURCE_DATE_EPOCH where it is a time, not what the frontend is to take it from."""
        text = self.args.get("SOURCE_DATE_EPOCH", "")
        return int(text) if text.isascii() and text.isdecimal() else None


def _suggest_package(error: UserError, reference: str) -> None:
    """Where the image can't be had, perhaps a frontend of a package was meant: say which."""
    from pybuild.plugins.installed import names
    from pybuild.runtime.registry.errors import RegistryError

    if isinstance(error, RegistryError):
        note, near = not_installed(reference, names())
        if note is not None and near is not None:
            error.diagnostic = (
                error.diagnostic.without("help").with_note("note", note).with_note("help", near)
            )
