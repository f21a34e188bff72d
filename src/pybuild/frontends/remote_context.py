"""Fetch contexts and build files that are no files of this machine: repositories, archives, addresses."""

from __future__ import annotations

from pybuild.compiler.giturl import parse_git_ref
from pybuild.compiler.options import Options
from pybuild.compiler.remote import FILE, git_state, http_context
from pybuild.compiler.state import State, copy
from pybuild.frontends.build_context import CONTEXT
from pybuild.frontends.found_inputs import DOCKERFILES
from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.compiler.bridge import Bridge
    from pybuild.compiler.graph import Edge
    from pybuild.frontends.build_context import BuildContext
    from pybuild.frontends.found_inputs import FoundInputs


def fetched(context: BuildContext, bridge: Bridge) -> BuildContext:
    """Return the context with the build file's bytes and the main context as a state, if they lie elsewhere
    and were not fetched before. Raises UserError.

    .dockerignore is ignored for such a context: its files are not sent from anywhere.
    """
    inputs = context.inputs
    if not inputs.fetches:
        return context
    return context.with_inputs(_fetch(inputs, context.args, bridge))


def _fetch(inputs: FoundInputs, args: Mapping[str, str], bridge: Bridge) -> FoundInputs:
    if inputs.url is not None and inputs.data is None:
        inputs = inputs.with_file("Dockerfile", _read_address(inputs.url, bridge))
    if inputs.edge is not None:
        return inputs
    if inputs.archive is not None:
        return open_archive(inputs, CONTEXT, bridge)
    if inputs.remote is None:
        return inputs
    keep = args.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR", "")
    mtime = "commit" if args.get("SOURCE_DATE_EPOCH") else ""
    return open_remote(inputs, bridge, keep_git_dir=bool(truth(keep)), mtime=mtime)


def open_remote(inputs: FoundInputs, bridge: Bridge, *, keep_git_dir: bool, mtime: str = "") -> FoundInputs:
    """Return the inputs with the context at `inputs.remote` as a state, and with the build file in it unless
    that came from another place. `mtime` is the time policy of a repository's files (`commit`) unless its
    address has one. Raises UserError."""
    assert inputs.remote is not None
    repository = parse_git_ref(inputs.remote)
    single = False
    if repository is not None:
        name = f"[internal] load git source {inputs.remote}"
        state = git_state(repository, name, keep_git_dir=keep_git_dir, mtime=mtime)
    else:
        state, archive = http_context(inputs.remote, "[internal] load remote build context", bridge)
        single = not archive
    assert state.edge is not None
    if inputs.data is None:
        names = (FILE,) if single else _names(inputs)
        inputs = _with_file_of(inputs, inputs.remote, state.edge, bridge, names)
    return inputs.with_context(state.edge)


def open_archive(inputs: FoundInputs, local_name: str, bridge: Bridge) -> FoundInputs:
    """Return the inputs with the context unpacked from the archive on standard input, which is the file
    `FILE` of the local source `local_name`, and with the build file in it. Its files keep their owners, as
    those of an archive at an address do. Raises UserError."""
    archive = State.local(local_name, options=Options(name="[internal] load build context"))
    edge = State.scratch().file(copy(archive, "/" + FILE, "/", unpack=True)).edge
    assert edge is not None
    if inputs.data is None:
        inputs = _with_file_of(inputs, "the archive on standard input", edge, bridge, _names(inputs))
    return inputs.with_context(edge)


def _names(inputs: FoundInputs) -> tuple[str, ...]:
    return (inputs.name,) if inputs.name else DOCKERFILES


def _with_file_of(
    inputs: FoundInputs, context: str, edge: Edge, bridge: Bridge, names: tuple[str, ...]
) -> FoundInputs:
    for name in names:
        try:
            return inputs.with_file(name, bridge.read_file(edge, name))
        except FileNotFoundError:
            continue
    raise UsageError(f"{context} has no {names[0]}", help="name the Dockerfile with -f")


def _read_address(url: str, bridge: Bridge) -> bytes:
    options = Options(name=f"[internal] load remote build definition from {url}")
    edge = State.http(url, filename="Dockerfile", options=options).edge
    assert edge is not None
    return bridge.read_file(edge, "Dockerfile")
