"""The frontend that an image holds, as a request of this process calls it.

It is called as any client of BuildKit calls it: with attributes, and the directories `context` and `dockerfile`.
"""

from __future__ import annotations

import os

from attrs import evolve

from pybuild.compiler import platforms
from pybuild.compiler.frozenmap import FrozenMap
from pybuild.compiler.gateway import Request
from pybuild.compiler.remote import FILE
from pybuild.frontends.attributes import attribute_texts, attributes_of
from pybuild.frontends.build_context import CONTEXT, DOCKERFILES, STDIN, ContextFrontend, check_single
from pybuild.frontends.error_places import place_error
from pybuild.frontends.gateway import IMAGE
from pybuild.frontends.results import goal_of, with_epoch
from pybuild.frontends.types import Solution
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.lang.dockerfile.parse import decode
from pybuild.lang.frontends import detect_syntax, not_installed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.compiler.gateway import Result
    from pybuild.frontends.build_context import BuildContext
    from pybuild.runtime.bridge.gateway import Gateway
    from pybuild.runtime.engine import Engine

_FILE_DIRECTORY = "dockerfile"
_LAYOUT = "oci-layout://"
_SUBREQUESTS = "moby.buildkit.frontend.subrequests"


class ImageFrontend(ContextFrontend):
    """Calls the frontend that an image holds for the file of a request. See `types.Frontend`.

    The image is fetched when it is called; its result may depend on anything, so its builds are not replayed.
    """

    fetches = True  # the image, and whatever that asks for

    def __init__(self, context: BuildContext) -> None:
        """Raises UsageError for settings that no frontend of an image takes."""
        check_single(context.request, "a frontend")
        super().__init__(context)
        self._attributes = attributes_of(context)
        context.dependencies.replayable = False

    def solve(self, gateway: Gateway) -> Solution:
        """Call the frontend. Raises UserError, Cancelled."""
        result = self._call(gateway)
        epoch = self._context.args.get("SOURCE_DATE_EPOCH", "")
        if epoch.isascii() and epoch.isdecimal():  # a time, not the name of a source that tells it
            result = with_epoch(result, int(epoch))
        tags, index = self._context.request.tags, self._attributes.multi_platform
        return Solution([goal_of(result, tags=tags, index=index)])

    def answer(self, question: str, gateway: Gateway) -> Mapping[str, bytes]:
        """Return the frontend's answer to a question in place of a build: metadata such as `result.json`. Raises
        UserError, Cancelled."""
        return self._call(gateway, question).metadata

    def _call(self, gateway: Gateway, question: str = "") -> Result:
        inputs, command_line = self._context.inputs, self._context.syntax
        data = inputs.data or b""
        syntax = None if command_line else detect_syntax(data)
        if syntax is not None:
            command_line = syntax.command_line
        try:
            options = self._options(command_line, gateway.engine)
            if question:
                capabilities = (options.get("frontend.caps"), _SUBREQUESTS)
                options |= {"requestid": question, "frontend.caps": ",".join(filter(None, capabilities))}
            return gateway.solve(Request(frontend=IMAGE, options=options))
        except Cancelled:
            raise
        except UserError as error:
            place_error(error, syntax, decode(inputs.name, data), command_line)
            _suggest_package(error, command_line.partition(" ")[0])
            raise

    def _options(self, command_line: str, engine: Engine) -> dict[str, str]:
        """Return the frontend's attributes as texts; gives the client the directories that they name."""
        inputs, attributes = self._context.inputs, self._attributes
        more = {"cmdline": command_line, "source": command_line.partition(" ")[0]}
        filename = inputs.name
        self._context.provide(engine)
        if inputs.archive is not None:
            attributes = evolve(attributes, context=_upload(engine))
        if self._comes_apart:
            engine.client.provide(directories={_FILE_DIRECTORY: os.fsencode(self._file_directory(engine))})
            filename = os.path.basename(filename)
            if attributes.context:
                more["dockerfilekey"] = _FILE_DIRECTORY
        attributes = evolve(
            attributes, filename=filename or DOCKERFILES[0], contexts=FrozenMap(self._contexts(engine))
        )
        return attribute_texts(attributes) | more

    @property
    def _comes_apart(self) -> bool:
        """Report whether the build file comes from another place than the context."""
        inputs = self._context.inputs
        within = inputs.remote is not None or inputs.archive is not None
        return not within or inputs.url is not None or self._context.request.file == STDIN

    def _file_directory(self, engine: Engine) -> str:
        """Return the directory of the build file."""
        inputs = self._context.inputs
        if inputs.url is None and self._context.request.file != STDIN and os.path.exists(inputs.name):
            return os.path.dirname(os.path.abspath(inputs.name))
        directory = os.path.join(engine.store.work, _FILE_DIRECTORY)
        os.makedirs(directory, 0o700, exist_ok=True)
        with open(os.path.join(directory, os.path.basename(inputs.name or DOCKERFILES[0])), "wb") as file:
            file.write(inputs.data or b"")
        return directory

    def _contexts(self, engine: Engine) -> Mapping[str, str]:
        """Return the named contexts. Images of layouts are pinned, each in a content store whose name any frontend
        takes."""
        contexts = dict(self._context.named.sources)
        for number, (name, place) in enumerate(sorted(engine.client.named.items())):
            if contexts.get(name) != _LAYOUT + name:
                continue
            store = f"layout{number}"
            engine.client.provide(images={store: place})
            resolved = engine.images.resolve_named(store, platforms.default(), engine.cancellation)
            contexts[name] = f"{_LAYOUT}{store}@{resolved.digest}"
        return contexts


def _upload(engine: Engine) -> str:
    """Return the address at which the client sends the archive from standard input."""
    from pybuild.runtime.clients.localclient import LocalClient
    from pybuild.runtime.session.types import UPLOADS

    assert isinstance(engine.client, LocalClient)
    directory = os.fsdecode(engine.client.directories[CONTEXT])
    engine.client.provide_upload(CONTEXT, os.path.join(directory, FILE))
    return f"http://{UPLOADS}/{CONTEXT}"


def _suggest_package(error: UserError, reference: str) -> None:
    """Suggest the package's frontend that was perhaps meant, if the image can't be fetched."""
    from pybuild.plugins.installed import names
    from pybuild.runtime.registry.errors import RegistryError

    if isinstance(error, RegistryError):
        note, near = not_installed(reference, names())
        if note is not None and near is not None:
            error.diagnostic = (
                error.diagnostic.without("help").with_note("note", note).with_note("help", near)
            )
