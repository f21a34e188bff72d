"""File ops: chains of copy, mkfile, mkdir, rm and symlink actions, without running anything."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack

from attrs import evolve

from pybuild.compiler.ops import EMPTY, Copy, FileAction, FileOp, MkDir, MkFile, Rm, Symlink
from pybuild.lang.diagnostics import Diagnostic, Label, UserError
from pybuild.runtime.cache.records import digest_of
from pybuild.runtime.ops.files.copy import Copier
from pybuild.runtime.ops.files.linking import Linking
from pybuild.runtime.ops.files.owners import resolve_owner
from pybuild.runtime.ops.files.selection import expand, reads, selection_digest
from pybuild.runtime.ops.files.writer import Writer
from pybuild.runtime.ops.results import Snapshot, View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.ops.files.writer import Owner
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.snapshots.types import Active, Node, Snapshotter, Tree
    from pybuild.runtime.solver.types import Cancellation

SEMANTICS = "file 1"


class FileHandler:
    recorded = True
    limited = True
    pure_key = True

    def __init__(self, snapshotter: Snapshotter) -> None:
        self._snapshotter = snapshotter

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        return digest_of(SEMANTICS, evolve(vertex, inputs=()).digest)

    def outside(self, vertex: Vertex) -> str:
        return ""

    def content(self, vertex: Vertex, index: int, result: Result, cancellation: Cancellation) -> str | None:
        assert isinstance(vertex.op, FileOp)
        selected = reads(vertex.op, index)
        if selected is None:
            return None
        return selection_digest(selected, result, lambda one: tree_of(self._snapshotter, one))

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        assert isinstance(vertex.op, FileOp)
        with ExitStack() as stack:
            try:
                return _Run(self._snapshotter, vertex.op, inputs, stack, cancellation).results()
            except UserError as error:
                if error.diagnostic.labels or not vertex.metadata.spans or error.exit_code == 130:
                    raise
                raise _located(error, vertex) from error

    def materialize(self, view: View, cancellation: Cancellation) -> Snapshot:
        """A snapshot of all of a view."""
        op = FileOp((FileAction(EMPTY, 0, 0, Copy("/", "/", dir_copy_contents=True)),))
        with ExitStack() as stack:
            (result,) = _Run(self._snapshotter, op, [view], stack, cancellation).results()
        assert isinstance(result, Snapshot)
        return result


def tree_of(snapshotter: Snapshotter, result: Result) -> Tree:
    return result.tree if isinstance(result, View) else snapshotter.tree(result.id)


class _Run:
    """One execution. A value is an input or the state after an action: a result, or an `Active` being filled,
    which the next action on it takes over if nothing else uses that state."""

    def __init__(
        self,
        snapshotter: Snapshotter,
        op: FileOp,
        inputs: Sequence[Result],
        stack: ExitStack,
        cancellation: Cancellation,
    ) -> None:
        self._snapshotter = snapshotter
        self._op = op
        self._stack = stack
        self._cancellation = cancellation
        self._values: list[Result | Active] = list(inputs)
        self._count = len(inputs)

    def results(self) -> Sequence[Result]:
        for number, action in enumerate(self._op.actions):
            active = self._take(action.input)
            writer = Writer(self._snapshotter, active)
            _ACTIONS[type(action.action)](self, action, active, writer)
            writer.finish()
            self._values.append(active)
            if self._used_again(self._count + number):
                self._values[-1] = Snapshot(active.commit())
        outputs = sorted(
            (action.output, self._count + number)
            for number, action in enumerate(self._op.actions)
            if action.output != EMPTY
        )
        return [self._committed(value) for _, value in outputs]

    def _used_again(self, value: int) -> bool:
        """Whether the state is needed as it is: an output, or the base of several actions."""
        actions = self._op.actions
        if value - self._count < len(actions) and actions[value - self._count].output != EMPTY:
            return True
        return sum(action.input == value for action in actions) > 1

    def _take(self, value: int) -> Active:
        if value == EMPTY:
            return self._prepare(None)
        held = self._values[value]
        if isinstance(held, View):
            raise UserError("a local directory can't be changed: copy from it instead")
        if isinstance(held, Snapshot):
            return self._prepare(held.id)
        return held

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
        held = self._values[value]
        if isinstance(held, Snapshot | View):
            return tree_of(self._snapshotter, held)
        return self._snapshotter.active_tree(held)

    def owner(self, action: FileAction) -> Owner | None:
        return resolve_owner(getattr(action.action, "owner", None), self.tree)

    # Actions

    def copy(self, action: FileAction, active: Active, writer: Writer) -> None:
        copy = action.action
        assert isinstance(copy, Copy)
        source = self.tree(action.secondary_input) if action.secondary_input != EMPTY else None
        if source is None:
            source = self._snapshotter.tree(None)
        held = self._values[action.secondary_input] if action.secondary_input != EMPTY else None
        linking = Linking(
            [self._layer(one) for one in self._snapshotter.chain(active.parent)],
            possible=not self._snapshotter.plain and isinstance(held, Snapshot),
        )
        owner = self.owner(action)

        def unpack(node: Node, dest: bytes) -> bool:
            from pybuild.runtime.ops.files.unpacking import unpack

            timestamp = None if copy.timestamp == -1 else copy.timestamp
            return unpack(node, dest, writer, active, owner, timestamp)

        Copier(copy, source, writer, owner, linking, self._cancellation).run(unpack)

    def _layer(self, snapshot: int) -> bytes:
        root = self._snapshotter.tree(snapshot).resolve(b"").node
        assert root is not None
        return root.real

    def mkdir(self, action: FileAction, active: Active, writer: Writer) -> None:
        made = action.action
        assert isinstance(made, MkDir)
        path, owner = os.fsencode(os.path.normpath("/" + made.path)), self.owner(action)
        mtime = None if made.timestamp == -1 else made.timestamp
        if made.make_parents:
            writer.make_parents(path, owner, mtime, made.mode & 0o777)
            return
        where = writer.tree.resolve(path)
        if where.node is not None:
            return
        _directory_of(writer, where.path)
        writer.mkdir(where.path, made.mode & 0o777, owner, mtime)

    def mkfile(self, action: FileAction, active: Active, writer: Writer) -> None:
        made = action.action
        assert isinstance(made, MkFile)
        where = writer.tree.resolve(os.fsencode(os.path.normpath("/" + made.path)))
        _directory_of(writer, where.path)
        writer.make_room(where.path)
        with os.fdopen(writer.create(where.path, made.mode & 0o777), "wb") as file:
            file.write(made.data)
        _finish_entry(writer, where.path, self.owner(action), made.timestamp)

    def symlink(self, action: FileAction, active: Active, writer: Writer) -> None:
        made = action.action
        assert isinstance(made, Symlink)
        path = os.fsencode(os.path.normpath("/" + made.newpath)).lstrip(b"/")
        parent, _, name = path.rpartition(b"/")
        where = writer.tree.resolve(parent).path
        path = where + b"/" + name if where else name
        _directory_of(writer, path)
        if writer.tree.lstat(path) is not None:
            raise UserError(f"/{os.fsdecode(path)} exists", help="remove it first")
        writer.make_room(path)
        os.symlink(os.fsencode(made.oldpath), writer.real(path))
        _finish_entry(writer, path, self.owner(action), made.timestamp)

    def rm(self, action: FileAction, active: Active, writer: Writer) -> None:
        removed = action.action
        assert isinstance(removed, Rm)
        path = os.fsencode(os.path.normpath("/" + removed.path)).lstrip(b"/")
        paths = expand(writer.tree, removed.path, follow=False) if removed.allow_wildcard else [path]
        for one in paths:
            parent, _, name = one.rpartition(b"/")
            where = writer.tree.resolve(parent).path
            target = where + b"/" + name if where else name
            if not name or writer.tree.lstat(target) is None:
                if not removed.allow_not_found or not name:
                    raise UserError(f"{removed.path}: no such file or directory to remove")
                continue
            writer.remove(target)


_ACTIONS: dict[type, Callable[[_Run, FileAction, Active, Writer], None]] = {
    Copy: _Run.copy,
    MkDir: _Run.mkdir,
    MkFile: _Run.mkfile,
    Rm: _Run.rm,
    Symlink: _Run.symlink,
}


def _directory_of(writer: Writer, path: bytes) -> None:
    parent = path.rpartition(b"/")[0]
    node = writer.tree.resolve(parent).node
    if node is None or not stat.S_ISDIR(node.stat.st_mode):
        raise UserError(f"/{os.fsdecode(parent)}: no such directory", help="make it in an earlier step")


def _finish_entry(writer: Writer, path: bytes, owner: Owner | None, timestamp: int) -> None:
    real = writer.real(path)
    writer.set_owner(real, owner)
    if timestamp != -1:
        os.utime(real, ns=(timestamp, timestamp), follow_symlinks=False)


def _located(error: UserError, vertex: Vertex) -> UserError:
    diagnostic = error.diagnostic
    return type(error)(
        Diagnostic(
            diagnostic.title,
            labels=[Label(span) for span in vertex.metadata.spans[:1]],
            notes=diagnostic.notes,
            code=diagnostic.code,
        )
    )
