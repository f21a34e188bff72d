"""Errors of transfers from a client's directory. Messages are fsutil's, which BuildKit's clients know."""

from __future__ import annotations

import os

from pybuild.runtime.sources.errors import SourceFailed

_CLIENT = "the client does not keep to the protocol: update it, or report this to its makers"


class TransferFailed(SourceFailed):
    """A client's directory could not be received."""


def from_sender(text: str) -> TransferFailed:
    return TransferFailed(f"error from sender: {text}", help="make the directory readable for the client")


def broken_off() -> TransferFailed:
    return TransferFailed("the client ended the transfer before it was complete", help=_CLIENT)


def bad_path(path: bytes) -> TransferFailed:
    return TransferFailed(f"invalid path {os.fsdecode(path)!r} in the files of the client", help=_CLIENT)


def bad_kind(path: bytes, mode: int) -> TransferFailed:
    return TransferFailed(
        f"{os.fsdecode(path)!r} has the mode {mode:#o}, which is that of no kind of file", help=_CLIENT
    )


def out_of_order(before: bytes, path: bytes) -> TransferFailed:
    return TransferFailed(
        f"changes out of order: {os.fsdecode(path)!r} {os.fsdecode(before)!r}", help=_CLIENT
    )


def after_the_end(path: bytes) -> TransferFailed:
    return TransferFailed(f"{os.fsdecode(path)!r} was described after the last file", help=_CLIENT)


def no_parent(path: bytes) -> TransferFailed:
    return TransferFailed(f"parent directory of {os.fsdecode(path)!r} not found", help=_CLIENT)


def bad_link(path: bytes, target: bytes) -> TransferFailed:
    return TransferFailed(f"invalid hardlink {os.fsdecode(path)!r} to {os.fsdecode(target)!r}", help=_CLIENT)


def bad_request(id: int) -> TransferFailed:
    return TransferFailed(f"invalid file request {id}", help=_CLIENT)


def not_written(path: bytes, error: OSError) -> TransferFailed:
    return TransferFailed(
        f"cannot write {os.fsdecode(path)!r} of the client's files: {error.strerror or error}",
        help="leave it out by .dockerignore if it is not needed; else make room, or give the builder the right",
    )
