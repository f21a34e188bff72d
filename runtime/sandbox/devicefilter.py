"""Find out, by trying, whether a filter can keep steps from the devices of the machine.

In the initial user namespace a step of root may make and open device nodes, and a control group is all that keeps
it from a disk: the devices controller of version 1, or a BPF program on a group of version 2. In any other user
namespace the kernel itself refuses to make them, so a build there has none.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

from pybuild.runtime.sandbox.cgroups import Cgroups, remove_group
from pybuild.runtime.sandbox.namespaces import rootless

_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "loongarch64": 280, "ppc64le": 361, "s390x": 351}
"""Numbers of bpf(2) by the machines' names, for 64-bit processes."""
_PROG_LOAD, _PROG_ATTACH = 5, 8
_CGROUP_DEVICE_PROGRAM, _CGROUP_DEVICE, _ALLOW_MULTI = 15, 6, 2
# r0 = 0; exit: refuse every device.
_REFUSE_ALL = struct.pack("=BBhi", 0xB7, 0, 0, 0) + struct.pack("=BBhi", 0x95, 0, 0, 0)


def missing(work: str) -> str:
    """The reason why no filter keeps the steps of this process from the machine's devices; "" if one does, and in a
    user namespace. `work` names the build's work directory. None of its steps may have begun: the trial uses their
    group, so that what a killed one leaves is removed as theirs."""
    # An ordinary user who has not entered the namespaces runs no step outside of a user namespace.
    if os.geteuid() != 0 or rootless():
        return ""
    cgroups = Cgroups.detect(rootless=False)
    if not cgroups.usable:
        return cgroups.reason
    point = cgroups.point("devices")
    if point is None:
        return "the control groups have no devices controller"
    group = point + cgroups.path(work, "")
    try:
        os.mkdir(group)
        try:
            (_attach if cgroups.unified else _deny)(group)
        finally:
            remove_group(group)
    except OSError as error:
        return f"a device filter can't be set on a control group: {error.strerror}"
    return ""


def _deny(group: str) -> None:
    """Deny all devices to a group of version 1. Raises OSError."""
    with open(f"{group}/devices.deny", "w", encoding="ascii") as file:
        file.write("a")


def _attach(group: str) -> None:
    """Attach a program that refuses all devices to a group of version 2. It ends with the group. Raises OSError.

    On a machine whose number of bpf(2) isn't known, nothing is tried: the runtimes fail where they can't attach
    theirs."""
    number = _BPF.get(os.uname().machine) if sys.maxsize > 1 << 32 else None
    if number is None:
        return
    code, license = ctypes.create_string_buffer(_REFUSE_ALL), ctypes.create_string_buffer(b"GPL")
    load = struct.pack(
        "=IIQQIIQII",
        *(_CGROUP_DEVICE_PROGRAM, len(_REFUSE_ALL) // 8, ctypes.addressof(code), ctypes.addressof(license)),
        *(0, 0, 0, 0, 0),
    )
    program = _bpf(number, _PROG_LOAD, load)
    try:
        directory = os.open(group, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _bpf(number, _PROG_ATTACH, struct.pack("=IIII", directory, program, _CGROUP_DEVICE, _ALLOW_MULTI))
        finally:
            os.close(directory)
    finally:
        os.close(program)


def _bpf(number: int, command: int, attributes: bytes) -> int:
    """Call bpf(2). Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    result: int = libc.syscall(
        ctypes.c_long(number), ctypes.c_int(command), attributes, ctypes.c_uint(len(attributes))
    )
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
