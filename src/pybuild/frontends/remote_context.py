"""Fetch contexts and build files that are no files of this machine: repositories, archives, addresses."""

from __future__ import annotations

from attrs import evolve

from pybuild.compiler.giturl import parse_git_ref
from pybuild.compiler.options import Options
from pybuild.compiler.remote import FILE, git_state, http_context
from pybuild.compiler.state import State, copy
from pybuild.frontends.build_context import CONTEXT, DOCKERFILES
from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.compiler.bridge import Bridge
    from pybuild.compiler.graph import Edge
    from pybuild.frontends.build_context import BuildContext, BuildInputs
    from pybuild.runtime.bridge.gateway import Gateway


def fetched(context: BuildContext, gateway: Gateway) -> BuildContext:
    """Return the context with the build file's bytes, and with the main context as a state if it lies elsewhere. A
    context that came by standard input is provided. Raises UserError, Cancelled."""
    context.provide(gateway.engine)
    if not context.inputs.fetches:
        return context
    return context.with_inputs(fetch(context.inputs, context.args, gateway.bridge))


def fetch(inputs: BuildInputs, args: Mapping[str, str], bridge: Bridge) -> BuildInputs:
    """Return the inputs with the build file's bytes and the main context as a state, if they lie elsewhere
    and were not fetched before. `args` are the build arguments. Raises UserError.

    .dockerignore is ignored for such a context: its files are not sent from anywhere.
    """
    if inputs.url is not None and inputs.data is None:
        inputs = evolve(inputs, name="Dockerfile", data=_read_address(inputs.url, bridge))
    if inputs.edge is not None:
        return inputs
    if inputs.archive is not None:
        return _open_archive(inputs, bridge)
    return inputs if inputs.remote is None else _open_remote(inputs, inputs.remote, args, bridge)


def _open_remote(inputs: BuildInputs, address: str, args: Mapping[str, str], bridge: Bridge) -> BuildInputs:
    """Return the inputs with the context at `address` as a state, and with the build file in it unless that came from
    another place."""
    repository = parse_git_ref(address)
    names = _names(inputs)
    if repository is not None:
        keep = truth(args.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR", ""))
        mtime = "commit" if args.get("SOURCE_DATE_EPOCH") else ""
        name = f"[internal] load git source {address}"
        state = git_state(repository, name, keep_git_dir=bool(keep), mtime=mtime)
    else:
        state, archive = http_context(address, "[internal] load remote build context", bridge)
        names = names if archive else (FILE,)
    assert state.edge is not None
    return _with_context(inputs, address, state.edge, bridge, names)


def _open_archive(inputs: BuildInputs, bridge: Bridge) -> BuildInputs:
    """Return the inputs with the context unpacked from the archive on standard input, which is the file `FILE` of the
    main context (`BuildContext.provide`), and with the build file in it. Its files keep their owners, as those of an
    archive at an address do."""
    archive = State.local(CONTEXT, options=Options(name="[internal] load build context"))
    edge = State.scratch().file(copy(archive, "/" + FILE, "/", unpack=True)).edge
    assert edge is not None
    return _with_context(inputs, "the archive on standard input", edge, bridge, _names(inputs))


def _names(inputs: BuildInputs) -> tuple[str, ...]:
    return (inputs.name,) if inputs.name else DOCKERFILES


def _with_context(
    inputs: BuildInputs, context: str, edge: Edge, bridge: Bridge, names: tuple[str, ...]
) -> BuildInputs:
    """Return the inputs with the state of the context, and with the first of the files `names` that it has unless the
    build file is there already. Raises UsageError if it has none of them."""
    if inputs.data is not None:
        return evolve(inputs, edge=edge)
    for name in names:
        try:
            return evolve(inputs, edge=edge, name=name, data=bridge.read_file(edge, name))
        except FileNotFoundError:
            continue
    raise UsageError(f"{context} has no {names[0]}", help="name the Dockerfile with -f")


def _read_address(url: str, bridge: Bridge) -> bytes:
    options = Options(name=f"[internal] load remote build definition from {url}")
    edge = State.http(url, filename="Dockerfile", options=options).edge
    assert edge is not None
    return bridge.read_file(edge, "Dockerfile")
