"""Builds from programs and notebooks.

    with Builder(root="/var/tmp/store") as builder:
        result = builder.build("web", params={"version": "1.2"})
        print(result.digest, result.read_text("/etc/os-release"))

Each build is a process of its own that ends with it; a builder is thread-safe and keeps no thread.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeGuard, Unpack

from pybuild.builder.graph import Graph
from pybuild.builder.images import image_of
from pybuild.builder.options import BuildOptions, Path, fields_of
from pybuild.builder.process import Worker
from pybuild.builder.python_targets import PythonTarget, record_targets
from pybuild.builder.reader import Reader
from pybuild.builder.record import ObserverPair, Record
from pybuild.builder.result import Completed, Result
from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.content.place import default_root
from pybuild.runtime.progress.observer import Observer
from pybuild.runtime.solver.types import Cancellation

Buildable = str | Sequence[str] | PythonTarget | None
"""Targets by name (`"web"`, `"test[py=3.12]"`), or targets of the Python API; None is the default target."""


class Builder:
    """Builds what a directory's build file describes.

    Methods may be called from any number of threads at once. Errors are those of the command line: `UserError`,
    whose `diagnostic` says what happened, where, and what to do. A KeyboardInterrupt cancels the build that its
    thread waits for. Steps, mounts and processes of a build end with it, also when the program is killed.
    """

    def __init__(
        self,
        context: Path = ".",
        *,
        file: Path | None = None,
        root: Path | None = None,
        config: bool = False,
        **defaults: Unpack[BuildOptions],
    ) -> None:
        """`context` is a directory or the address of one, `file` the build file, by default the one that lies in the
        context; `root` is the directory of the store, by default that of the command line. With `config`,
        `pybuild.toml` and the user's `config.toml` count. `defaults` are options for all builds, which each may
        replace. Relative paths are relative to what is the working directory at this moment."""
        self._directory = os.getcwd()
        self._inputs = {"context": os.fspath(context), "file": None if file is None else os.fspath(file)}
        self._root = default_root() if root is None else os.path.abspath(root)
        self._config = config
        self._defaults: dict[str, Any] = {**defaults}
        self._guard = threading.Lock()
        self._running: set[Cancellation] = set()
        self._closed = False
        self._reader = Reader(self._root)
        self._close_fields(self._fields(None, {}))

    @property
    def root(self) -> str:
        """The directory of the store."""
        return self._root

    def build(
        self,
        target: Buildable = None,
        *,
        observer: Observer | None = None,
        cancellation: Cancellation | None = None,
        **options: Unpack[BuildOptions],
    ) -> Result:
        """Build a target, or several, and export what is asked for.

        `observer` hears of the progress, in this thread; what it raises cancels the build and is raised. Raises
        UserError (StepFailed for a step, with its `output`; SourceErrors for a build file), Cancelled.
        """
        record = Record()
        started = time.time()
        images = self._work({"kind": "build"}, target, options, _with(record, observer), cancellation)
        return Result(
            tuple(map(image_of, images)),
            record.steps,
            tuple(record.warnings),
            started,
            time.time(),
            self._reader,
        )

    async def build_async(
        self,
        target: Buildable = None,
        *,
        observer: Observer | None = None,
        cancellation: Cancellation | None = None,
        **options: Unpack[BuildOptions],
    ) -> Result:
        """Call `build` in a thread of the event loop, which also calls `observer`. Cancelling the task cancels the
        build; the task ends when the build has."""
        import asyncio

        build_cancellation = Cancellation()
        forget = cancellation.on_cancel(build_cancellation.cancel) if cancellation is not None else _nothing
        task = asyncio.ensure_future(
            asyncio.to_thread(
                self.build, target, observer=observer, cancellation=build_cancellation, **options
            )
        )
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            build_cancellation.cancel()
            await asyncio.wait([task])
            # Retrieve the exception, or asyncio logs that nobody did.
            task.cancelled() or task.exception()
            raise
        finally:
            forget()

    def run(
        self,
        state: Buildable | Result,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        user: str | None = None,
        platform: str | None = None,
        observer: Observer | None = None,
        cancellation: Cancellation | None = None,
        **options: Unpack[BuildOptions],
    ) -> Completed:
        """Run a command in a built state; what it changes is lost, and nothing of it is cached.

        `state` is a result, or a target, which is built first. A `command` of one text is a script for `/bin/sh`.
        Variables, directory and user are the image's unless they are given. `options` are those of a build, `network`
        is the command's too. A command that fails is no error: see `code`. Raises as `build`.
        """
        words = command if isinstance(command, str) else list(command)
        task: dict[str, Any] = {
            "kind": "run", "command": words, "env": dict(env or {}), "cwd": cwd, "user": user,
        }  # fmt: skip
        target: Buildable = None
        if isinstance(state, Result):
            platform_result = state.platform(platform)
            task |= {"state": platform_result.state, "image": _text(platform_result.config)}
        else:
            target = state
            if platform is not None:
                options["platforms"] = platform
        options["outputs"] = "type=none"
        record = Record(kept=1 << 62)
        digest, code = self._work(task, target, options, _with(record, observer), cancellation)
        return Completed(code, record.output(digest, 1), record.output(digest, 2))

    def graph(
        self,
        target: Buildable = None,
        *,
        linked: bool = False,
        observer: Observer | None = None,
        cancellation: Cancellation | None = None,
        **options: Unpack[BuildOptions],
    ) -> Graph:
        """Return the graph of a build without running it. The graph of a `.pybuild` file is what the file alone
        determines; if `linked`, references are resolved too. Raises UserError, Cancelled."""
        forms = [
            self._work(
                {"kind": "graph", "format": format, "linked": linked},
                target, options, heard or Observer(), cancellation,
            )
            for format, heard in (("json", observer), ("dot", None))
        ]  # fmt: skip
        return Graph(*forms)

    def cancel(self) -> None:
        """Cancel all running builds: the calls that wait for them raise Cancelled."""
        with self._guard:
            running = list(self._running)
        for cancellation in running:
            cancellation.cancel()

    def close(self) -> None:
        """Cancel all running builds and end the process that reads results. Idempotent; later calls are refused."""
        self._closed = True
        self.cancel()
        self._reader.close()

    def __enter__(self) -> Builder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Workers

    def _fields(
        self, target: Buildable, options: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[int], bytes | None]:
        """Return the request's fields, the descriptors for the worker to inherit, and the recorded targets."""
        merged = {**self._defaults, **options}
        if _is_by_name(target):
            fields, descriptors = fields_of(merged, target)
            return {**self._inputs, **fields}, descriptors, None
        fields, descriptors = fields_of(merged, None)
        try:
            return {**self._inputs, **fields}, descriptors, record_targets(target, fields)
        except BaseException:
            self._close_fields((fields, descriptors, None))
            raise

    @staticmethod
    def _close_fields(fields: tuple[dict[str, Any], list[int], bytes | None]) -> None:
        for fd in fields[1]:
            os.close(fd)

    def _work(
        self,
        task: Mapping[str, Any],
        target: Buildable,
        options: Mapping[str, Any],
        observer: Observer,
        cancellation: Cancellation | None,
    ) -> Any:
        """Run a task in a worker; return its answer."""
        with self._cancellable(cancellation) as call_cancellation:
            request_parts = self._fields(target, options)
            fields, descriptors, recorded = request_parts
            try:
                if call_cancellation.cancelled:
                    raise Cancelled
                worker_task = {**task, "request": fields, "config": self._config, "recorded": recorded}
                worker = Worker(worker_task, root=self._root, directory=self._directory, lent=descriptors)
            finally:
                # The worker has inherited them.
                self._close_fields(request_parts)
            forget = call_cancellation.on_cancel(worker.cancel)
            try:
                return worker.answer(observer)
            finally:
                forget()

    @contextmanager
    def _cancellable(self, callers: Cancellation | None) -> Iterator[Cancellation]:
        """Yield a call's cancellation, which `cancel`, `close` and the caller trigger."""
        call_cancellation = Cancellation()
        with self._guard:
            if self._closed:
                raise RuntimeError("the builder is closed")
            self._running.add(call_cancellation)
        forget = callers.on_cancel(call_cancellation.cancel) if callers is not None else _nothing
        try:
            yield call_cancellation
        finally:
            forget()
            with self._guard:
                self._running.discard(call_cancellation)


def _with(record: Record, observer: Observer | None) -> Observer:
    return record if observer is None else ObserverPair(record, observer)


def _is_by_name(target: Buildable) -> TypeGuard[str | Sequence[str] | None]:
    if isinstance(target, list | tuple):
        return bool(target) and all(isinstance(name, str) for name in target)
    return target is None or isinstance(target, str)


def _text(config: Mapping[str, Any]) -> bytes:
    import json

    return json.dumps(config).encode()


def _nothing() -> None:
    pass
