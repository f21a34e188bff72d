"""Checks out a commit to a directory, with the same bytes each time.

1. Create a repository: beside the directory, with the store's objects by reference; or in the directory if it is to
   be kept, with a pack of this commit's objects only (no history and no deltas: the pack's bytes are reproducible).
2. Write the files by `read-tree` into an empty index, as a clone does.
3. Let git fetch and check out submodules.
4. Remove everything that differs from run to run: stat data in the index, logs, and every `.git` unless it is kept.
"""

from __future__ import annotations

import os
import stat

from pybuild.runtime.snapshots.removal import remove_tree
from pybuild.runtime.sources.errors import SourceFailed
from pybuild.runtime.sources.gitcommand import GitFailed
from pybuild.runtime.sources.gitrepository import (
    fetch_failed,
    make_directories,
    make_repository,
    write_file,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.sources.gitcommand import Git
    from pybuild.runtime.sources.gitrepository import GitRepository
    from pybuild.runtime.sources.gitrequest import GitRequest
    from pybuild.runtime.sources.gitresolve import GitCommit

LOGS = ("logs", "FETCH_HEAD", "ORIG_HEAD", "COMMIT_EDITMSG", "gc.log")


def checkout(
    git: Git,
    repository: GitRepository,
    request: GitRequest,
    found: GitCommit,
    commit: str,
    target: str,
    work: str,
) -> None:
    """Fill the empty directory `target`; `work` is an empty directory on the same file system. Raises SourceFailed,
    also for submodules that can't be fetched, GitFailed, Cancelled."""
    keeps = request.keep and not request.subdir
    tree = os.path.join(work, "tree") if request.subdir else target
    make_directories(tree)
    directory = os.path.join(tree, ".git") if keeps else os.path.join(work, "repository")
    make_repository(directory, repository.format, remote=request.remote, bare=False, head=commit)
    if keeps:
        _pack(git, repository, found, commit, directory)
    else:
        objects = os.path.join(repository.path, "objects")
        write_file(os.path.join(directory, "objects", "info", "alternates"), objects + "\n")
    # The commit's parents are not in the repository: without this file git would miss them.
    if _parents(git, repository, commit):
        write_file(os.path.join(directory, "shallow"), commit + "\n")
    place = ("--git-dir", directory, "--work-tree", tree)
    git.run(*place, "read-tree", "--reset", "-u", commit, cwd=tree)
    if request.submodules and _is_file(os.path.join(tree, ".gitmodules")):
        _submodules(git, place, tree, request)
        if not keeps:
            _drop_links(tree)
    if keeps:
        _tidy(git, directory, commit)
    if request.subdir:
        _move(tree, request.subdir, target)
    if request.mtime == "commit":
        _set_times(target, commit_time(git, repository, commit))


def _pack(git: Git, repository: GitRepository, found: GitCommit, commit: str, directory: str) -> None:
    """Write a pack with the objects of one commit into a repository, and its ref."""
    listed, _ = git.run("--git-dir", repository.path, "rev-list", "--objects", "--max-count=1", commit)
    # Lines are `HASH[ PATH]`.
    names = b"".join(line.partition(b" ")[0] + b"\n" for line in listed.splitlines())
    if found.checksum != commit:
        names += found.checksum.encode("ascii") + b"\n"
    from tempfile import TemporaryFile

    with TemporaryFile() as file:
        file.write(names)
        file.seek(0)
        git.run(
            "--git-dir",
            repository.path,
            "pack-objects",
            "--quiet",
            "--window=0",
            "--threads=1",
            "--no-reuse-object",
            os.path.join(directory, "objects", "pack", "pack"),
            stdin=file,
        )
    if found.ref.startswith("refs/"):
        git.run("--git-dir", directory, "update-ref", "--no-deref", found.ref, found.checksum)


def _parents(git: Git, repository: GitRepository, commit: str) -> bool:
    """Report whether the commit has parents, fetched or not."""
    text, _ = git.run("--git-dir", repository.path, "cat-file", "commit", commit)
    return b"\nparent " in text.partition(b"\n\n")[0]


def _submodules(git: Git, place: tuple[str, ...], tree: str, request: GitRequest) -> None:
    command = (*place, "submodule", "--quiet", "update", "--init", "--recursive", "--force")
    try:
        git.run(*command, "--depth=1", cwd=tree, network=True)
    except GitFailed as error:
        if "shallow" not in error.said and "depth" not in error.said:
            raise _submodule_failed(request, error) from None
        try:
            git.run(*command, cwd=tree, network=True)
        except GitFailed as again:
            raise _submodule_failed(request, again) from None


def _submodule_failed(request: GitRequest, error: GitFailed) -> SourceFailed:
    failed = fetch_failed(request.remote, error)
    notes = dict(failed.diagnostic.notes)
    return SourceFailed(
        type(failed.diagnostic)(
            f"failed to update submodules for {request.remote}", notes=[("git", notes.get("git", error.said))]
        ),
        help=notes.get("help", "check the addresses in .gitmodules"),
    )


def _tidy(git: Git, directory: str, commit: str) -> None:
    """Remove from a kept repository, and from those of its submodules, everything that differs from run to run."""
    pending = [(directory, commit)]
    while pending:
        here, head = pending.pop()
        for name in LOGS:
            remove_tree(os.path.join(here, name))
        index = os.path.join(here, "index")
        if os.path.exists(index):
            # Written again without the files at hand, so that it has no stat data.
            os.unlink(index)
            git.run("--git-dir", here, "read-tree", head, cwd=here)
        pending += [(module, "HEAD") for module in _modules(os.path.join(here, "modules"))]


def _modules(directory: str) -> list[str]:
    """Return the repositories below a `modules` directory; at any depth, as names of submodules may have slashes."""
    repositories, pending = [], [directory]
    while pending:
        here = pending.pop()
        if os.path.isfile(os.path.join(here, "HEAD")):
            repositories.append(here)
        elif os.path.isdir(here):
            pending += [entry.path for entry in os.scandir(here) if entry.is_dir(follow_symlinks=False)]
    return repositories


def _drop_links(tree: str) -> None:
    """Remove every `.git`. git tracks no file of that name, so all belong to submodules, and refer to a repository
    that is removed."""
    for here, directories, files in os.walk(tree):
        if ".git" in files:
            os.unlink(os.path.join(here, ".git"))
        if ".git" in directories:
            directories.remove(".git")
            remove_tree(os.path.join(here, ".git"))


def _move(tree: str, subdir: str, target: str) -> None:
    """Move the entries of a directory of `tree` to `target`. Raises SourceFailed for a symlink on the way."""
    here = tree
    for part in subdir.split("/"):
        here = os.path.join(here, part)
        try:
            mode = os.lstat(here).st_mode
        except OSError:
            raise SourceFailed(
                f"failed to open subdir {subdir}: no such directory in the repository",
                help="the subdirectory stands behind the ref and a colon: #REF:SUBDIR",
            ) from None
        if not stat.S_ISDIR(mode):
            what = "a symbolic link" if stat.S_ISLNK(mode) else "no directory"
            raise SourceFailed(f"invalid subdir {subdir}: {part} is {what} in the repository")
    for name in os.listdir(here):
        os.rename(os.path.join(here, name), os.path.join(target, name))


def commit_time(git: Git, repository: GitRepository, commit: str) -> int:
    """Return the committer's time as Unix time."""
    return int(git.text("--git-dir", repository.path, "show", "--no-patch", "--format=%ct", commit))


def _set_times(target: str, seconds: int) -> None:
    for here, directories, files in os.walk(target, topdown=False):
        for name in (*files, *directories):
            os.utime(os.path.join(here, name), (seconds, seconds), follow_symlinks=False)
    os.utime(target, (seconds, seconds))


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False
