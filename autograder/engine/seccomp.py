"""The filter on system calls: refuses what no exercise needs, in the kernel's own small language.

Sources: seccomp(2) and the numbers in the kernel's tables of system calls for x86-64 and arm64.
"""

from __future__ import annotations

import errno
import struct

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
APART = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP
PR_SET_PDEATHSIG = 1

# System call numbers that the standard library does not name, by machine.
SYSCALLS: dict[str, dict[str, int]] = {
    "x86_64": {
        "clone": 56, "clone3": 435, "socket": 41, "socketpair": 53, "connect": 42,
        "prctl": 157, "ptrace": 101, "mount": 165, "umount2": 166,
        "pivot_root": 155, "chroot": 161, "unshare": 272, "setns": 308, "bpf": 321, "perf_event_open": 298,
        "keyctl": 250, "add_key": 248, "request_key": 249, "userfaultfd": 323, "process_vm_readv": 310,
        "process_vm_writev": 311, "open_by_handle_at": 304, "init_module": 175, "finit_module": 313,
        "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320, "reboot": 169, "swapon": 167,
        "swapoff": 168, "acct": 163, "settimeofday": 164, "clock_settime": 227, "quotactl": 179, "mknod": 133,
        "mknodat": 259, "io_uring_setup": 425, "kcmp": 312, "fanotify_init": 300, "move_mount": 429,
        "open_tree": 428, "fsopen": 430, "fsmount": 432, "fspick": 433, "mount_setattr": 442, "pidfd_getfd": 438,
        "iopl": 172, "ioperm": 173, "syslog": 103, "vhangup": 153, "capset": 126, "memfd_create": 319,
        "memfd_secret": 447, "shmget": 29, "semget": 64, "msgget": 68, "chmod": 90, "fchmod": 91, "fchmodat": 268,
        "fchmodat2": 452, "chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260, "utime": 132, "utimes": 235,
        "futimesat": 261, "utimensat": 280, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197,
        "lremovexattr": 198, "fremovexattr": 199, "prlimit64": 302, "sched_setaffinity": 203, "sched_setparam": 142,
        "sched_setscheduler": 144, "sched_setattr": 314, "move_pages": 279, "migrate_pages": 256, "setpriority": 141,
        "ioprio_set": 251, "kill": 62, "tgkill": 234, "tkill": 200, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297,
        "pidfd_send_signal": 424, "mmap": 9, "setsockopt": 54, "fcntl": 72, "ioctl": 16, "setsid": 112, "vmsplice": 278,
        "splice": 275, "tee": 276, "io_setup": 206, "remap_file_pages": 216, "name_to_handle_at": 303,
        "set_mempolicy": 238, "mbind": 237, "set_mempolicy_home_node": 450, "process_madvise": 440,
        "io_uring_enter": 426, "io_uring_register": 427, "quotactl_fd": 443, "personality": 135, "adjtimex": 159,
        "clock_adjtime": 305, "fanotify_mark": 301,
        "landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446,
    },
    "aarch64": {
        "clone": 220, "clone3": 435, "socket": 198, "socketpair": 199, "connect": 203,
        "prctl": 167, "ptrace": 117, "mount": 40, "umount2": 39,
        "pivot_root": 41, "chroot": 51, "unshare": 97, "setns": 268, "bpf": 280, "perf_event_open": 241,
        "keyctl": 219, "add_key": 217, "request_key": 218, "userfaultfd": 282, "process_vm_readv": 270,
        "process_vm_writev": 271, "open_by_handle_at": 265, "init_module": 105, "finit_module": 273,
        "delete_module": 106, "kexec_load": 104, "kexec_file_load": 294, "reboot": 142, "swapon": 224,
        "swapoff": 225, "acct": 89, "settimeofday": 170, "clock_settime": 112, "quotactl": 60, "mknodat": 33,
        "io_uring_setup": 425, "kcmp": 272, "fanotify_init": 262, "move_mount": 429, "open_tree": 428,
        "fsopen": 430, "fsmount": 432, "fspick": 433, "mount_setattr": 442, "pidfd_getfd": 438, "syslog": 116,
        "vhangup": 58, "capset": 91, "memfd_create": 279, "memfd_secret": 447, "shmget": 194, "semget": 190,
        "msgget": 186, "fchmod": 52, "fchmodat": 53, "fchmodat2": 452, "fchown": 55, "fchownat": 54, "utimensat": 88,
        "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16,
        "prlimit64": 261, "sched_setaffinity": 122, "sched_setparam": 118, "sched_setscheduler": 119,
        "sched_setattr": 274, "move_pages": 239, "migrate_pages": 238, "setpriority": 140, "ioprio_set": 30,
        "kill": 129, "tgkill": 131, "tkill": 130, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240,
        "pidfd_send_signal": 424, "mmap": 222, "setsockopt": 208, "fcntl": 25, "ioctl": 29, "setsid": 157,
        "vmsplice": 75, "splice": 76, "tee": 77, "io_setup": 0, "remap_file_pages": 234, "name_to_handle_at": 264,
        "set_mempolicy": 237, "mbind": 235, "set_mempolicy_home_node": 450, "process_madvise": 440,
        "io_uring_enter": 426, "io_uring_register": 427, "quotactl_fd": 443, "personality": 92, "adjtimex": 171,
        "clock_adjtime": 266, "fanotify_mark": 263,
        "landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446,
    },
}  # fmt: skip
FIRST_UNKNOWN = 453  # on both machines; libraries know what to do where a call does not exist
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# What Landlock leaves to a process of the grader's own user. To change rights, owners and times of files is refused as
# if it were done, since honest code copies them and does not mind; to touch other processes, by their number, is not.
OF_FILES = frozenset({
    "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "utime", "utimes",
    "futimesat", "utimensat", "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
})  # fmt: skip
SIGNALS = frozenset({"kill", "tgkill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"})
NOT_FILTERED = (
    {"clone", "clone3", "socket", "socketpair", "connect", "prctl", "capset", "mmap", "setsockopt", "fcntl", "setsid"}
    | {"prlimit64", "ioctl"}
    | {name for name in SYSCALLS["x86_64"] if name.startswith("landlock")}
    | OF_FILES
    | SIGNALS
)

LOAD, EQUAL, ABOVE, AT_LEAST, ANY_BIT, AND, RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x54, 0x06
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000  # REFUSE: + errno
NUMBER, ARCH, FIRST_ARGUMENT, SECOND_ARGUMENT, THIRD_ARGUMENT, FOURTH_ARGUMENT = 0, 4, 16, 24, 32, 40
HIGH = 4  # bytes further: the upper half of an argument
CLONE_THREAD, CLONE_FILES = 0x00010000, 0x00000400
MAP_SHARED, MAP_ANONYMOUS = 0x01, 0x20
MOST_SHARED = 2**24  # bytes of one piece of nameless shared memory, which may be held without being seen
SOL_SOCKET = 1
SOCKET_BUFFERS = (7, 8, 32, 33)  # SO_SNDBUF, SO_RCVBUF, and the same by force
F_SETPIPE_SZ = 1031
# A lease on a file of the grader's own keeps everybody else from opening it; a descriptor with an owner has the kernel
# send a signal of one's choice to that process.
F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE = 8, 10, 15, 1024
REFUSED_OF_DESCRIPTORS = {
    "fcntl": (F_SETPIPE_SZ, F_SETLEASE, F_SETOWN, F_SETSIG, F_SETOWN_EX),
    "ioctl": (0x8901, 0x8902),  # FIOSETOWN, SIOCSPGRP
}
PR_SET_DUMPABLE = 4
AF_UNIX, SOCK_STREAM, SOCK_SEQPACKET, SOCKET_KIND = 1, 1, 5, 0xF


def _op(code: int, value: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, jump_true, jump_false, value)


def filter_program(machine: str, *, apart: bool, signals_from: int = 0) -> list[bytes]:
    """Classic BPF, one decision after the other.

    `apart` says whether there are namespaces. Where nothing else keeps signals in, `signals_from` is the number of the
    student's process: what was there before it has a lower one, and what it starts a higher one.
    """
    numbers = SYSCALLS[machine]
    namespaces = APART | CLONE_NEWUSER | CLONE_NEWNS
    program = [_op(LOAD, ARCH), _op(EQUAL, AUDIT_ARCH[machine], 1, 0), _op(RETURN, KILL), _op(LOAD, NUMBER)]
    # Later kernels' calls, and on x86-64 the numbers of its other convention, x32.
    program += [_op(AT_LEAST, FIRST_UNKNOWN, 0, 1), _op(RETURN, REFUSE | errno.ENOSYS)]
    refused = [number for name, number in numbers.items() if name not in NOT_FILTERED]
    if not apart:
        refused.append(numbers["connect"])
    for number in refused:
        program += [_op(EQUAL, number, 0, 1), _op(RETURN, REFUSE | errno.EPERM)]
    # clone3 hides its flags from a filter; told that it does not exist, libc falls back to clone.
    program += [_op(EQUAL, numbers["clone3"], 0, 1), _op(RETURN, REFUSE | errno.ENOSYS)]
    program += [
        _op(EQUAL, numbers["clone"], 0, 6),
        _op(LOAD, FIRST_ARGUMENT),
        _op(ANY_BIT, namespaces, 2, 0),
        _op(AND, CLONE_THREAD | CLONE_FILES),
        _op(EQUAL, CLONE_THREAD, 0, 1),  # a thread with descriptors of its own, which nobody would count
        _op(RETURN, REFUSE | errno.EPERM),
        _op(LOAD, NUMBER),
    ]
    # Its session is its share of the processor: who asks for another one is told that there is one.
    program += [_op(EQUAL, numbers["setsid"], 0, 1), _op(RETURN, REFUSE | 0)]
    # The signal that ends the student with its keeper stays; who asks to change it is told that it was done. And the
    # keeper goes on seeing what the student uses.
    program += [
        _op(EQUAL, numbers["prctl"], 0, 6),
        _op(LOAD, FIRST_ARGUMENT),
        _op(EQUAL, PR_SET_PDEATHSIG, 0, 1),
        _op(RETURN, REFUSE | 0),
        _op(EQUAL, PR_SET_DUMPABLE, 0, 1),
        _op(RETURN, REFUSE | errno.EPERM),
        _op(LOAD, NUMBER),
    ]
    program += _no_unseen_memory(numbers)
    program += [
        _op(EQUAL, numbers["socket"], 0, 4),
        _op(LOAD, FIRST_ARGUMENT),
        _op(EQUAL, AF_UNIX, 1, 0),
        _op(RETURN, REFUSE | errno.EPERM),
        _op(LOAD, NUMBER),
    ]
    if not apart:
        program += _only_connected_sockets(numbers)
        program += _only_its_own(numbers)
    if signals_from:
        program += _only_later(numbers, signals_from)
    return [*program, _op(RETURN, ALLOW)]


def _no_unseen_memory(numbers: dict[str, int]) -> list[bytes]:
    """Memory that belongs to no process: large buffers of sockets and pipes, large pieces without a name.

    And what else a descriptor can do to others.
    """
    program = [
        _op(EQUAL, numbers["mmap"], 0, 9),
        _op(LOAD, FOURTH_ARGUMENT),
        _op(AND, MAP_SHARED | MAP_ANONYMOUS),
        _op(EQUAL, MAP_SHARED | MAP_ANONYMOUS, 0, 5),
        _op(LOAD, SECOND_ARGUMENT + HIGH),
        _op(EQUAL, 0, 0, 2),
        _op(LOAD, SECOND_ARGUMENT),
        _op(ABOVE, MOST_SHARED, 0, 1),
        _op(RETURN, REFUSE | errno.ENOMEM),
        _op(LOAD, NUMBER),
    ]
    for name, refused in REFUSED_OF_DESCRIPTORS.items():
        count = len(refused)
        program += [_op(EQUAL, numbers[name], 0, count + 3), _op(LOAD, SECOND_ARGUMENT)]
        program += [_op(EQUAL, act, count - 1 - n, n == count - 1) for n, act in enumerate(refused)]
        program += [_op(RETURN, REFUSE | errno.EPERM), _op(LOAD, NUMBER)]
    count = len(SOCKET_BUFFERS)
    program += [_op(EQUAL, numbers["setsockopt"], 0, count + 5), _op(LOAD, SECOND_ARGUMENT)]
    program += [_op(EQUAL, SOL_SOCKET, 0, count + 2), _op(LOAD, THIRD_ARGUMENT)]
    program += [_op(EQUAL, option, count - 1 - n, n == count - 1) for n, option in enumerate(SOCKET_BUFFERS)]
    program += [_op(RETURN, REFUSE | errno.EPERM), _op(LOAD, NUMBER)]
    return program


def _only_connected_sockets(numbers: dict[str, int]) -> list[bytes]:
    """Local sockets of the kinds that can send to nobody before they are connected, which is refused."""
    return [
        _op(EQUAL, numbers["socket"], 1, 0),
        _op(EQUAL, numbers["socketpair"], 0, 6),
        _op(LOAD, SECOND_ARGUMENT),
        _op(AND, SOCKET_KIND),
        _op(EQUAL, SOCK_STREAM, 2, 0),
        _op(EQUAL, SOCK_SEQPACKET, 1, 0),
        _op(RETURN, REFUSE | errno.EPERM),
        _op(LOAD, NUMBER),
    ]


def _only_its_own(numbers: dict[str, int]) -> list[bytes]:
    """What Landlock does not see: the rights of any file, and the limits of any process, of the same user."""
    program = []
    for name in sorted(OF_FILES & numbers.keys()):
        program += [_op(EQUAL, numbers[name], 0, 1), _op(RETURN, REFUSE | 0)]
    program += [
        _op(EQUAL, numbers["prlimit64"], 0, 4),
        _op(LOAD, FIRST_ARGUMENT),  # 0 is the caller
        _op(EQUAL, 0, 1, 0),
        _op(RETURN, REFUSE | errno.EPERM),
        _op(LOAD, NUMBER),
    ]
    return program


def _only_later(numbers: dict[str, int], first: int) -> list[bytes]:
    """Signals to processes and groups of this number and above, and to the caller's own group (0)."""
    program = []
    for name in ("kill", "tgkill"):
        program += [
            _op(EQUAL, numbers[name], 0, 7),
            _op(LOAD, FIRST_ARGUMENT),
            _op(EQUAL, 0, 4, 0),
            _op(AT_LEAST, 1 << 31, 1, 0),  # a group, by its number below nought; or everything, by -1
            _op(AT_LEAST, first, 2, 1),
            _op(ABOVE, (1 << 32) - first, 0, 1),
            _op(RETURN, REFUSE | errno.EPERM),
            _op(LOAD, NUMBER),
        ]
    for name in sorted(SIGNALS - {"kill", "tgkill"}):
        program += [_op(EQUAL, numbers[name], 0, 1), _op(RETURN, REFUSE | errno.EPERM)]
    return program
