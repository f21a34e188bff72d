"""Lowering of source states (images, directories, repositories, downloads), merges and diffs."""

from __future__ import annotations

import re

from attrs import evolve

from pybuild.compiler import image as images
from pybuild.compiler import reference
from pybuild.compiler.descriptions import LOCKED
from pybuild.compiler.lower.images import is_empty, pinned
from pybuild.compiler.lower.paths import follow_paths
from pybuild.compiler.lower.recipe.lowered_state import MOST_LAYERS, ROOT, Entry, LoweredState, layer_texts
from pybuild.compiler.lower.recipe.lowering import Lowering, environment_of, spans
from pybuild.compiler.lower.recipe.options import Pin
from pybuild.compiler.lower.recipe.problems import placed
from pybuild.compiler.ops import Platform, SourceOp
from pybuild.compiler.options import DEFAULT, Options
from pybuild.compiler.state import Actions, State, copy, diff, merge, mkdir, mkfile
from pybuild.compiler.urls import download_name
from pybuild.lang import recipe
from pybuild.lang.diagnostics import UserError

_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


def scratch(lowering: Lowering, state: recipe.Scratch) -> LoweredState:
    return LoweredState(None)


def image(lowering: Lowering, state: recipe.Image) -> LoweredState:
    """Lower an image of a registry; in a linked graph it is pinned. Raises `UserError`."""
    try:
        ref = reference.parse(state.ref).canonical
        return _image(lowering, state, ref, lowering.platform(state.platform), layout=False)
    except UserError as error:
        raise placed(error, state.span) from None


def layout(lowering: Lowering, state: recipe.Layout) -> LoweredState:
    """Lower an image of an OCI layout. Raises `UserError`."""
    ref = lowering.options.layouts.get(state.path, state.path)
    try:
        return _image(lowering, state, ref, lowering.platform(state.platform), layout=True)
    except UserError as error:
        raise placed(error, state.span) from None


def host(lowering: Lowering, state: recipe.Host) -> LoweredState:
    """Lower `host(…)`: the root file system of this machine's commands, which is an OCI layout. Raises
    `UserError`."""
    ref = lowering.options.hosts.get(state.commands, "host")
    try:
        return _image(lowering, state, ref, lowering.options.build_platform, layout=True)
    except UserError as error:
        raise placed(error, state.span) from None


def _image(
    lowering: Lowering, state: recipe.State, ref: str, platform: Platform, *, layout: bool
) -> LoweredState:
    config, raw, whole = images.Image().with_platform(platform), None, False
    if lowering.options.linked:
        resolved, config = lowering.resolve(ref, platform, layout=layout)
        ref, raw, whole = pinned(resolved), resolved.config, True
    body = lowering.plan.first.get(state)
    shown = f"from {ref}"
    name = lowering.name(body, shown) if body is not None else shown
    edge = None
    if not whole or not is_empty(config):
        options = Options(platform=platform, name=name, spans=spans(state.span))
        if layout:
            edge = State.oci_layout(ref, options=options).edge
        else:
            mode = "pull" if lowering.options.pull else ""
            edge = State.image(ref, resolve_mode=mode, options=options).edge
    return LoweredState(
        edge,
        evolve(config, created=None),
        platform,
        environment_of(config.config.env),
        whole,
        base_config=raw,
        cmd_inherited=True,
    )


def directory(lowering: Lowering, state: recipe.Directory) -> LoweredState:
    """Lower a directory of this machine. All paths that the recipe uses of it are one source."""
    paths = lowering.plan.paths.get(state.name, ())
    options = Options(name=f"[internal] load {state.name}", spans=spans(state.span))
    files = State.local(
        state.name,
        include=state.include,
        exclude=state.exclude,
        follow_paths=follow_paths(paths),
        shared_key=state.name,
        options=options,
    )
    return LoweredState(files.edge)


def git(lowering: Lowering, state: recipe.Git) -> LoweredState:
    """Lower a git repository, at its pin if it has one."""
    pin = lowering.options.pins.get(state)
    options = _source_options(f"git {state.url} {state.ref}", state, pin)
    return LoweredState(_git(state, "" if pin is None else pin.value, options).edge)


def http(lowering: Lowering, state: recipe.Http) -> LoweredState:
    """Lower a download: a file under its name, or the contents of an archive."""
    pin = lowering.options.pins.get(state)
    download = _http(
        state, "" if pin is None else pin.value, _source_options(f"http {state.url}", state, pin)
    )
    return LoweredState(_unpacked(download, _file_name(state), state).edge if state.unpack else download.edge)


def _source_options(name: str, state: recipe.State, pin: Pin | None) -> Options:
    description = {} if pin is None else {LOCKED: pin.key}
    return Options(name=name, description=description, spans=spans(state.span))


def source_op(state: recipe.Git | recipe.Http) -> SourceOp:
    """Return the op of a source without its pin. Raises `UserError` for an address of no known form."""
    source = _git(state, "", DEFAULT) if isinstance(state, recipe.Git) else _http(state, "", DEFAULT)
    op = source.edge.vertex.op if source.edge is not None else None
    assert isinstance(op, SourceOp)
    return op


def _git(state: recipe.Git, pin: str, options: Options) -> State:
    """Return the state of a repository. Only secrets that the recipe names are used. A pin replaces the reference."""
    ref = pin or ("" if state.ref == "HEAD" else state.ref)
    try:
        return State.git(
            state.url,
            ref,
            subdir=state.subdir,
            keep_git_dir=state.keep_git,
            checksum=state.checksum or (ref if _COMMIT.fullmatch(ref) else ""),
            skip_submodules=not state.submodules,
            auth_token_secret=state.token,
            auth_header_secret=state.header,
            ssh_socket=state.ssh,
            options=options,
        )
    except UserError as error:
        raise placed(error, state.span) from None


def _http(state: recipe.Http, pin: str, options: Options) -> State:
    return State.http(
        state.url,
        checksum=f"sha256:{state.sha256}" if state.sha256 else pin,
        filename=_file_name(state),
        mode=state.mode,
        auth_header_secret=state.auth,
        options=options,
    )


def _file_name(state: recipe.Http) -> str:
    return state.name or download_name(state.url)


def _unpacked(archive: State, name: str, state: recipe.Http) -> State:
    """Return the entries of an archive; `strip` drops that many leading components of paths, as in tar(1)."""
    options = Options(name=f"unpack {name}", spans=spans(state.span))
    actions = copy(archive, f"/{name}", "/", unpack=True)
    if state.strip:
        entries = "/*" * (state.strip + 1)
        actions = copy(actions.on(State.scratch()), entries, "/", wildcard=True)
    return State.scratch().file(actions, options=options)


def files(lowering: Lowering, state: recipe.Files) -> LoweredState:
    """Lower `files(…)`: literal files in an empty file system."""
    chain: Actions | None = None
    known = {""}
    for path, data, mode in state.files:
        parent = path.rpartition("/")[0]
        if parent not in known:
            chain = (mkdir if chain is None else chain.mkdir)(f"/{parent}", parents=True)
            known.add(parent)
        chain = (mkfile if chain is None else chain.mkfile)(f"/{path}", data, mode=mode)
    if chain is None:
        return LoweredState(None)
    options = Options(name=f"[internal] prepare {state.name}", spans=spans(state.span))
    return LoweredState(State.scratch().file(chain, options=options).edge)


def merged(lowering: Lowering, state: recipe.Merge) -> LoweredState:
    """Lower a merge of states. It has the config of the first one, and the history of the layers of all."""
    first, *others = [lowering.lowered[part] for part in state.states]
    edges = [State(part.edge) for part in (first, *others)]
    edge = merge(edges, options=Options(name="merge", spans=spans(state.span))).edge
    history = first.history
    for other in others:
        base = () if other.image is None else other.image.history
        texts = [entry.created_by for entry in base if not entry.empty_layer]
        history = _with_layers(history, [*texts, *layer_texts(other.history, None)])
    return evolve(first, edge=edge, history=history)


def difference(lowering: Lowering, state: recipe.Diff) -> LoweredState:
    """Lower a diff: the changes from the lower state to the upper one, with the config of the upper one."""
    lower, upper = lowering.lowered[state.lower], lowering.lowered[state.upper]
    if lower.edge is None:
        return upper
    options = Options(name="diff", spans=spans(state.span))
    edge = diff(State(lower.edge), State(upper.edge), options=options).edge
    texts = layer_texts(upper.history, lower.history) if _same_base(lower, upper) else ["diff"]
    image = None if upper.image is None else evolve(upper.image, history=())
    return evolve(
        upper,
        edge=edge,
        image=image,
        history=_with_layers(None, texts),
        base_config=None,
        directories=ROOT,
    )


def _same_base(lower: LoweredState, upper: LoweredState) -> bool:
    return lower.image is not None and upper.image is not None and lower.image.history == upper.image.history


def _with_layers(history: Entry | None, texts: list[str]) -> Entry | None:
    for text in texts[-MOST_LAYERS:]:
        history = Entry(text, True, history)
    return history
