"""Who holds a lease, and whether that process still lives.

A lease runs out by itself; but where the dead process was one of this machine, there is no need to wait.
"""

from __future__ import annotations

import os
import secrets
import socket


def _machine() -> str:
    """Name the machine, and within it the space in which process numbers mean something (containers have their own)."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return f"{socket.gethostname()} {space}".strip()


def new_owner() -> str:
    """Return a name for a worker of this process; each call another."""
    return f"{_machine()}|{os.getpid()}|{secrets.token_hex(4)}"


def is_dead(owner: str) -> bool:
    """Tell whether the owner was a process of this machine that is gone. In doubt it lives, and its lease will run out."""
    machine, _, rest = owner.partition("|")
    number = rest.partition("|")[0]
    if machine != _machine() or not number.isdigit() or os.name != "posix":
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
