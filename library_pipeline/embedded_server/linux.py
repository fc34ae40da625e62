"""The Linux calls that Python does not offer: prctl(2), capset(2), unshare(2).

They run in a forked child before exec, so the import of this module loads libc beforehand.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2

_PR_SET_PDEATHSIG = 1
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CLONE_NEWUSER = 0x10000000
_CAPABILITY_VERSION_3 = 0x20080522

AVAILABLE = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True)


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapSets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def _check(result: int, call: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def _prctl(option: int, argument: int, third: int = 0) -> None:
    arguments = [ctypes.c_ulong(value) for value in (argument, third, 0, 0)]
    _check(_libc.prctl(option, *arguments), f"prctl({option})")


def die_with_parent(parent: int, death_signal: signal.Signals) -> None:
    """Ask the kernel to send `death_signal` to this process when its parent ends (Linux only).

    Call it after every change of uid or capabilities, which clear it (prctl(2)). The kernel sends
    it when the parent's *thread* ends, so the parent must be single-threaded.
    """
    if not AVAILABLE:
        return
    _prctl(_PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:  # it died before the call
        os._exit(1)


def become(uid: int, gid: int, capability: int | None) -> None:
    """Change this root process to `uid` for good; exec keeps at most one capability."""
    os.setgroups([])
    os.setgid(gid)
    if capability is not None:
        # Not PR_SET_KEEPCAPS: postgres looks for its own binary with access(2), which ignores
        # the capabilities of other uids than root unless this bit is set.
        _prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
    os.setuid(uid)
    if capability is not None:
        _keep_only(capability)


def _keep_only(capability: int) -> None:
    """Drop all capabilities but one, and make that one ambient, so that exec keeps it."""
    bit = 1 << capability
    sets = (_CapSets * 2)(_CapSets(bit, bit, bit), _CapSets(0, 0, 0))
    header = _CapHeader(_CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(sets)), "capset")
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def appear_as(uid: int) -> None:
    """Enter a user namespace that shows this process's own uid as `uid`.

    Files and rights stay those of the real uid; exec drops every capability.
    """
    real_uid, real_gid = os.geteuid(), os.getegid()
    _check(_libc.unshare(_CLONE_NEWUSER), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/gid_map").write_text(f"{uid} {real_gid} 1")
    Path("/proc/self/uid_map").write_text(f"{uid} {real_uid} 1")
