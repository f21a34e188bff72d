"""File ops: executes chains of copy, mkfile, mkdir, rm and symlink actions, without a process."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack

from attrs import evolve

from pybuild.compiler.ops import EMPTY, Copy, FileAction, FileOp, MkDir, MkFile, Rm, Symlink
from pybuild.lang.diagnostics import Cancelled, Diagnostic, UserError
from pybuild.runtime.cache.records import digest_of
from pybuild.runtime.ops.failures import check_paths
from pybuild.runtime.ops.files.copy import Copier
from pybuild.runtime.ops.files.failures import (
    no_directory,
    not_a_directory,
    not_there,
    owned_by_root,
    system_error,
)
from pybuild.runtime.ops.files.filedata import write_all
from pybuild.runtime.ops.files.generation import Generation
from pybuild.runtime.ops.files.linking import Linking
from pybuild.runtime.ops.files.owners import resolve_owner
from pybuild.runtime.ops.files.selection import databases, reads, selection_digest
from pybuild.runtime.ops.files.upperwriter import UpperWriter
from pybuild.runtime.ops.origin import RUN, Origin
from pybuild.runtime.ops.results import Snapshot, View, snapshots
from pybuild.runtime.snapshots.tree import LayeredTree
from pybuild.runtime.snapshots.types import INDEX
from pybuild.runtime.sources.expansion import expand, look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.cache.records import Records
    from pybuild.runtime.ops.failedstates import FailedStates
    from pybuild.runtime.ops.files.owners import Owner
    from pybuild.runtime.ops.files.writer import Writer
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.snapshots.types import Active, Node, Snapshotter, Tree
    from pybuild.runtime.solver.types import Cancellation

SEMANTICS = "file 3"


class FileHandler:
    """Executes file ops. `failed` keeps the states of failing ones; without it none is kept. Warnings go to `warn`,
    with the vertex's digest."""

    recorded = True
    limited = True
    pure_key = True

    def __init__(
        self,
        snapshotter: Snapshotter,
        records: Records,
        failed: FailedStates | None = None,
        warn: Callable[[str, Diagnostic], None] | None = None,
    ) -> None:
        self._snapshotter = snapshotter
        self._records = records
        self._failed = failed
        self._warn = warn

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        assert isinstance(vertex.op, FileOp)
        check_paths(path for action in vertex.op.actions for path in _paths(action))
        return digest_of(SEMANTICS, evolve(vertex, inputs=()).digest)

    def outside(self, vertex: Vertex) -> str:
        return ""

    def content(self, vertex: Vertex, index: int, result: Result, cancellation: Cancellation) -> str | None:
        assert isinstance(vertex.op, FileOp)
        selected = reads(vertex.op, index)
        if selected is None:
            return None
        try:
            return selection_digest(selected, result, lambda input: tree_of(self._snapshotter, input))
        except UserError as error:
            raise _located(error, vertex)  # noqa: B904 - the same error

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        assert isinstance(vertex.op, FileOp)
        before = self._before(vertex, inputs, cancellation)
        with ExitStack() as stack:
            run = _Run(self._snapshotter, vertex.op, inputs, stack, cancellation, before)
            try:
                results = run.results()
                if self._warn is not None:
                    for warning in run.warnings:
                        self._warn(vertex.digest, _located(warning, vertex).diagnostic)
                return results
            except Cancelled:
                raise
            except UserError as error:
                error.origin = self._origin(vertex, inputs, run)
                raise _located(error, vertex)  # noqa: B904 - the same error
            except OSError as error:
                failure = system_error(error, self._records.root)
                failure.origin = self._origin(vertex, inputs, run)
                raise _located(failure, vertex) from error

    def _origin(self, vertex: Vertex, inputs: Sequence[Result], run: _Run) -> Origin:
        """Return the action that failed, with the snapshot of what it left if the caller wants that kept."""
        if self._failed is None or vertex.digest not in self._failed.digests:
            return Origin(vertex, RUN, run.number)
        left = None if run.active is None else self._failed.snapshot(run.active)
        return Origin(vertex, RUN, run.number, snapshots(inputs), left)

    def _before(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> bytes | None:
        """Return the layer directory of the op's latest result, if the op copies from a local directory."""
        if self._snapshotter.plain or not any(isinstance(one, View) for one in inputs):
            return None
        latest = self._records.latest(self.op_key(vertex, cancellation))
        layers = _layers(self._snapshotter, latest[0]) if latest else ()
        return layers[0] if layers else None

    def materialize(self, view: View, cancellation: Cancellation) -> Snapshot:
        """Copy all of a view into a snapshot."""
        return materialize(self._snapshotter, view, cancellation)


def materialize(snapshotter: Snapshotter, view: View, cancellation: Cancellation) -> Snapshot:
    """Copy all of a view into a snapshot, by the rules of a copy of its root."""
    op = FileOp((FileAction(EMPTY, 0, 0, Copy("/", "/", dir_copy_contents=True)),))
    with ExitStack() as stack:
        (result,) = _Run(snapshotter, op, [view], stack, cancellation).results()
    assert isinstance(result, Snapshot)
    return result


def _layers(snapshotter: Snapshotter, snapshot: int | None) -> Sequence[bytes]:
    """Return the layer directories of a snapshot; none under a snapshotter without layers."""
    tree = None if snapshot is None else snapshotter.tree(snapshot)
    return tree.layers if isinstance(tree, LayeredTree) else ()


def tree_of(snapshotter: Snapshotter, result: Result) -> Tree:
    """Return read access to a result's files."""
    return result.tree if isinstance(result, View) else snapshotter.tree(result.id)


class _Run:
    """An execution of a file op.

    Values are the inputs and the states after each action, by their number in LLB. A state is an active snapshot that
    the next action continues, or a committed one if anything else uses that state.
    """

    def __init__(
        self,
        snapshotter: Snapshotter,
        op: FileOp,
        inputs: Sequence[Result],
        stack: ExitStack,
        cancellation: Cancellation,
        before: bytes | None = None,
    ) -> None:
        self._snapshotter = snapshotter
        self._before = before
        self._op = op
        self._stack = stack
        self._cancellation = cancellation
        self._values: list[Result | Active] = list(inputs)
        self._count = len(inputs)
        self._linked: set[tuple[int, int]] = set()
        self.number = 0
        """Number of the action that runs or has failed."""
        self.active: Active | None = None
        """The active snapshot it writes to."""
        self.warnings: list[UserError] = []

    def results(self) -> Sequence[Result]:
        """Execute all actions and return the op's outputs, in their order."""
        for number, action in enumerate(self._op.actions):
            self.number, self.active = number, None
            active = self.active = self._take(action.input)
            writer = _writer(self._snapshotter, active)
            _ACTIONS[type(action.action)](self, action, active, writer)
            writer.finish()
            self._values.append(active)
            if self._stays(self._count + number):
                self._values[-1] = Snapshot(active.commit())
        outputs = sorted(
            (action.output, self._count + number)
            for number, action in enumerate(self._op.actions)
            if action.output != EMPTY
        )
        return [self._committed(value) for _, value in outputs]

    def _stays(self, value: int) -> bool:
        """Report whether a state must be committed: it is an output, the base of several actions, or an input to
        copy from while or after an action has continued it."""
        actions = self._op.actions
        if actions[value - self._count].output != EMPTY:
            return True
        bases = [number for number, action in enumerate(actions) if action.input == value]
        if len(bases) != 1:
            return bool(bases)
        return any(
            value in (action.secondary_input, *_owner_inputs(action)) for action in actions[bases[0] :]
        )

    def _take(self, value: int) -> Active:
        if value == EMPTY:
            return self._prepare(None)
        held = self._values[value]
        if isinstance(held, View):
            held = self._values[value] = materialize(self._snapshotter, held, self._cancellation)
        return self._prepare(held.id) if isinstance(held, Snapshot) else held

    def _prepare(self, parent: int | None) -> Active:
        active = self._snapshotter.prepare(parent)
        self._stack.callback(active.abort)
        return active

    def _committed(self, value: int) -> Result:
        held = self._values[value]
        if isinstance(held, Snapshot | View):
            return held
        return Snapshot(held.commit())

    def tree(self, value: int) -> Tree:
        return self._tree(self._values[value])

    def _tree(self, held: Result | Active) -> Tree:
        if isinstance(held, Snapshot | View):
            return tree_of(self._snapshotter, held)
        return self._snapshotter.active_tree(held)

    def owner(self, action: FileAction, unknown: Callable[[UserError], None] | None = None) -> Owner | None:
        return resolve_owner(getattr(action.action, "owner", None), self.tree, unknown)

    # Actions

    def copy(self, action: FileAction, active: Active, writer: Writer) -> None:
        copy = action.action
        assert isinstance(copy, Copy)
        held = Snapshot(None) if action.secondary_input == EMPTY else self._values[action.secondary_input]
        chain = _layers(self._snapshotter, active.parent)
        linking = Linking(
            chain,
            self._linked,
            possible=not self._snapshotter.plain and isinstance(held, Snapshot),
            layers=_layers(self._snapshotter, held.id) if isinstance(held, Snapshot) else (),
        )
        owner = self.owner(action)

        def unpack(node: Node, dest: bytes) -> bool:
            from pybuild.runtime.ops.files.unpacking import unpack

            return unpack(node, dest, writer, owner, _time(copy.timestamp))

        generation = None
        if isinstance(held, View) and not self._snapshotter.plain:
            generation = Generation(active.upper, self._earlier(chain))
        writer.reuse(linking, generation)
        Copier(copy, self._tree(held), writer, owner, self._cancellation).run(unpack)
        sources = set(linking.sources)
        if generation is not None:
            generation.save()
            if generation.linked and self._before is not None:
                sources.add(self._before)
        if sources:
            from pybuild.runtime.snapshots.hardlinks import note_links

            note_links(os.path.dirname(active.upper), sources)

    def _earlier(self, chain: Sequence[bytes]) -> bytes | None:
        """Return the earlier run's layer if no layer of `chain` can share inodes with it."""
        from pybuild.runtime.snapshots.hardlinks import layers_with_common_files

        if self._before is None or self._before in chain or layers_with_common_files(self._before, chain):
            return None
        return self._before

    def mkdir(self, action: FileAction, active: Active, writer: Writer) -> None:
        directory = action.action
        assert isinstance(directory, MkDir)
        path = os.fsencode(os.path.normpath("/" + directory.path))
        # As in BuildKit: a WORKDIR may follow a USER that only the container's start makes.
        unknown: list[UserError] = []
        owner = self.owner(action, unknown.append)
        if unknown and writer.find(path).node is None:
            self.warnings += (owned_by_root(directory.path, error) for error in unknown)
        mtime = _time(directory.timestamp)
        if directory.make_parents:
            writer.make_parents(path, owner, mtime, directory.mode & 0o777)
            return
        where = writer.find(path)
        if where.node is None:
            _check_directory_of(writer, where.path)
            writer.mkdir(where.path, directory.mode & 0o777, owner, mtime)

    def mkfile(self, action: FileAction, active: Active, writer: Writer) -> None:
        file = action.action
        assert isinstance(file, MkFile)
        where = writer.find(os.fsencode(os.path.normpath("/" + file.path)))
        _check_directory_of(writer, where.path)
        mode, owner = file.mode & 0o777, self.owner(action)
        before = where.node
        if before is not None and stat.S_ISREG(before.stat.st_mode):
            # BuildKit opens the existing file, so its mode and owner stay.
            mode = stat.S_IMODE(before.stat.st_mode) & (0o7777 if owner is None else 0o777)
            owner = owner or (before.stat.st_uid, before.stat.st_gid)
        writer.make_room(where.path)

        def fill(fd: int) -> int | None:
            write_all(fd, file.data)
            return _time(file.timestamp)

        writer.file(where.path, mode, owner, fill)

    def symlink(self, action: FileAction, active: Active, writer: Writer) -> None:
        link = action.action
        assert isinstance(link, Symlink)
        where = writer.find(os.fsencode(os.path.normpath("/" + link.newpath)))
        if where.node is not None:
            raise UserError(f"/{os.fsdecode(where.path)} exists", help="remove it in an earlier step")
        _check_directory_of(writer, where.path)
        writer.make_room(where.path)
        target = os.fsencode(link.oldpath)
        writer.symlink(where.path, target, self.owner(action), _time(link.timestamp))

    def rm(self, action: FileAction, active: Active, writer: Writer) -> None:
        removed = action.action
        assert isinstance(removed, Rm)
        if removed.allow_wildcard:
            paths = expand(writer.tree, removed.path, follow=False).paths
        else:
            paths = [os.fsencode(os.path.normpath("/" + removed.path).lstrip("/"))]
        for path in paths:
            parent, _, name = path.rpartition(b"/")
            if not name:
                raise UserError("the root directory can't be removed")
            where = look_up(writer.tree, parent)
            target = where.path + b"/" + name if where.path else name
            if where.node is not None and writer.tree.lstat(target) is not None:
                writer.remove(target)
            elif not removed.allow_not_found:
                raise not_there(writer.tree, path)


_ACTIONS: dict[type, Callable[[_Run, FileAction, Active, Writer], None]] = {
    Copy: _Run.copy,
    MkDir: _Run.mkdir,
    MkFile: _Run.mkfile,
    Rm: _Run.rm,
    Symlink: _Run.symlink,
}


def _writer(snapshotter: Snapshotter, active: Active) -> Writer:
    """Return the writer for the form in which `snapshotter` stores `active`."""
    if snapshotter.name == INDEX:
        from pybuild.runtime.ops.files.indexwriter import IndexWriter
        from pybuild.runtime.snapshots.indexactive import IndexActive

        assert isinstance(active, IndexActive)
        return IndexWriter(active)
    return UpperWriter(snapshotter, active)


def _paths(action: FileAction) -> list[str]:
    kind = action.action
    if isinstance(kind, Copy):
        return [kind.src, kind.dest, *kind.required_paths]
    return [kind.oldpath, kind.newpath] if isinstance(kind, Symlink) else [kind.path]


def _owner_inputs(action: FileAction) -> list[int]:
    return [number for _, number in databases(getattr(action.action, "owner", None))]


def _check_directory_of(writer: Writer, path: bytes) -> None:
    parent = path.rpartition(b"/")[0]
    node = writer.find(parent).node
    if node is None:
        raise no_directory(parent)
    if not stat.S_ISDIR(node.stat.st_mode):
        raise not_a_directory(parent)


def _time(timestamp: int) -> int | None:
    """Return an action's time, None for that of its execution."""
    return None if timestamp == -1 else timestamp


def _located(error: UserError, vertex: Vertex) -> UserError:
    """Point an error without a place at the vertex's instruction, and return it."""
    diagnostic = error.diagnostic
    if not diagnostic.labels and vertex.metadata.spans:
        error.diagnostic = diagnostic.at(vertex.metadata.spans[0])
    return error
