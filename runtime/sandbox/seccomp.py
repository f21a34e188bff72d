"""Docker's default seccomp profile for the default capability set, as the OCI `linux.seccomp` object.

Every system call that is not allowed here fails with EPERM. Calls that Docker allows only together with a
capability which a step lacks (CAP_SYS_ADMIN, CAP_SYS_PTRACE, …) are left out; those of CAP_SYS_CHROOT are in. The
runtimes skip names that the kernel or libseccomp doesn't know. Source of the rules: the profile of
github.com/moby/profiles (kernel 4.8 and later).
"""

from __future__ import annotations

_ALLOWED = """
accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 chroot
clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1
epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit
exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2
fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat
fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait
futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid
getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid
getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname
getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1
inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl
ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32
lgetxattr link linkat listen listmount listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat
lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock
mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64
mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall
munmap name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2
pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64
process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev pwritev2
read readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages
removexattr removexattrat rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending
rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64
rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr
sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64
send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid
setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid
setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid
setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask
sigreturn socketcall socketpair splice stat stat64 statfs statfs64 statmount statx symlink symlinkat sync
sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime
timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime
utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev _llseek _newselect
"""

_BY_MACHINE = {
    "x86_64": (("X86_64", "X86", "X32"), "arch_prctl modify_ldt"),
    "aarch64": (
        ("AARCH64", "ARM"),
        "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2",
    ),
    "riscv64": (("RISCV64",), "riscv_flush_icache riscv_hwprobe"),
    "ppc64le": (("PPC64LE",), "swapcontext sync_file_range2"),
}

_NAMESPACES = 0x7E020000
"""The flags CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET together."""

_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""PER_LINUX, PER_LINUX32, both with UNAME26, and the query."""

_SOCKET_FAMILIES = (("LT", 38), ("EQ", 39), *(("EQ", family) for family in range(41, 46)))
"""All families but AF_ALG (38) and AF_VSOCK (40), which reaches other virtual machines. The runtimes take several
comparisons of one argument as alternatives, so a range with two ends can't be expressed."""

_ENOSYS = 38

_profiles: dict[str, str | None] = {}


def profile(machine: str) -> str | None:
    """The profile as JSON text for a machine as `os.uname` names it, built once in a process; None for a machine
    that Docker's profile doesn't know or whose rules this module lacks."""
    if machine not in _profiles:
        _profiles[machine] = _build(machine)
    return _profiles[machine]


def _build(machine: str) -> str | None:
    known = _BY_MACHINE.get(machine)
    if known is None:
        return None
    architectures, own = known
    rules = [_rule((*_ALLOWED.split(), *own.split()))]
    rules += [_rule(("socket",), _argument(family, how)) for how, family in _SOCKET_FAMILIES]
    rules += [_rule(("personality",), _argument(value, "EQ")) for value in _PERSONALITIES]
    # clone may make no namespaces. clone3 has its flags behind a pointer, which a filter can't follow; on ENOSYS
    # libc falls back to clone.
    rules.append(_rule(("clone",), _argument(_NAMESPACES, "MASKED_EQ")))
    rules.append(f'{{"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":{_ENOSYS}}}')
    names = ",".join(f'"SCMP_ARCH_{name}"' for name in architectures)
    return (
        f'{{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,"architectures":[{names}],'
        f'"syscalls":[{",".join(rules)}]}}'
    )


def _rule(names: tuple[str, ...], argument: str = "") -> str:
    listed = ",".join(f'"{name}"' for name in names)
    return f'{{"names":[{listed}],"action":"SCMP_ACT_ALLOW"{argument}}}'


def _argument(value: int, how: str) -> str:
    """A condition on the first argument. MASKED_EQ holds if no bit of `value` is set."""
    return f',"args":[{{"index":0,"value":{value},"valueTwo":0,"op":"SCMP_CMP_{how}"}}]'
