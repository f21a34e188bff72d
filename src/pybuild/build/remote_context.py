"""Builds whose context or Dockerfile lies elsewhere: what is fetched before anything can be lowered."""

from __future__ import annotations

from pybuild.build.inputs import DOCKERFILES
from pybuild.compiler.giturl import parse_git_ref
from pybuild.compiler.options import Options
from pybuild.compiler.remote import FILE, git_state, http_context
from pybuild.compiler.state import State, copy
from pybuild.lang.diagnostics import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.build.inputs import Inputs
    from pybuild.compiler.bridge import Bridge
    from pybuild.compiler.graph import Edge


def open_context(inputs: Inputs, bridge: Bridge, *, keep_git_dir: bool, mtime: str = "") -> Edge:
    """The context at `inputs.remote`, and its Dockerfile into `inputs` unless that came from another place.
    `mtime` is what time a repository's files get (`commit`) unless its address says that.

    .dockerignore means nothing there: the files are not sent from anywhere. Raises UserError.
    """
    assert inputs.remote is not None
    found = parse_git_ref(inputs.remote)
    single = False
    if found is not None:
        name = f"[internal] load git source {inputs.remote}"
        state = git_state(found, name, keep_git_dir=keep_git_dir, mtime=mtime)
    else:
        state, archive = http_context(inputs.remote, "[internal] load remote build context", bridge)
        single = not archive
    assert state.edge is not None
    if inputs.dockerfile is None and inputs.url is None:
        names = (inputs.name,) if inputs.name else DOCKERFILES
        _read(inputs, inputs.remote, state.edge, bridge, (FILE,) if single else names)
    return state.edge


def open_archive(inputs: Inputs, local_name: str, bridge: Bridge) -> Edge:
    """The context in the archive from standard input, which is the file `FILE` of the local source `local_name`, and
    the Dockerfile in it into `inputs`.

    As with an archive at an address its files keep their owners, and .dockerignore means nothing. Raises UserError.
    """
    archive = State.local(local_name, options=Options(name="[internal] load build context"))
    edge = State.scratch().file(copy(archive, "/" + FILE, "/", unpack=True)).edge
    assert edge is not None
    names = (inputs.name,) if inputs.name else DOCKERFILES
    _read(inputs, "the archive on standard input", edge, bridge, names)
    return edge


def _read(inputs: Inputs, context: str, edge: Edge, bridge: Bridge, names: tuple[str, ...]) -> None:
    for name in names:
        try:
            inputs.dockerfile, inputs.name = bridge.read_file(edge, name), name
        except FileNotFoundError:
            continue
        return
    raise UsageError(f"{context} has no {names[0]}", help="name the Dockerfile with -f")


def fetch_dockerfile(inputs: Inputs, bridge: Bridge) -> None:
    """Read the Dockerfile that is at an address of its own. Raises UserError."""
    assert inputs.url is not None
    options = Options(name=f"[internal] load remote build definition from {inputs.url}")
    edge = State.http(inputs.url, filename="Dockerfile", options=options).edge
    assert edge is not None
    inputs.dockerfile = bridge.read_file(edge, "Dockerfile")
