"""The UDP receive buffers of a daemon, as the WireGuard daemons of today ask for them: Debian's, of 2022, has
the system's 208 KB, and loses what comes while it waits for a CPU.

src/lab/bed/udp_buffers.h does the same."""

import ctypes
import os
import pathlib
import socket

ASKED_FOR_BYTES = 7_000_000  # by wireguard-go since 2023
SO_RCVBUFFORCE = 33
SYS_PIDFD_GETFD = 438


def enlarge(pid):
    """Enlarges the buffers of all UDP sockets that the process has open; returns their number. Needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(pid)
    try:
        fds = [int(link.name) for link in pathlib.Path(f"/proc/{pid}/fd").iterdir()
               if os.readlink(link).startswith("socket:")]
        done = 0
        for fd in fds:
            ours = libc.syscall(SYS_PIDFD_GETFD, process, fd, 0)
            if ours < 0:
                raise OSError(ctypes.get_errno(), f"pidfd_getfd of {pid}")
            with socket.socket(fileno=ours) as one:
                if one.type == socket.SOCK_DGRAM and one.family in (socket.AF_INET, socket.AF_INET6):
                    one.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ASKED_FOR_BYTES)
                    done += 1
        return done
    finally:
        os.close(process)
