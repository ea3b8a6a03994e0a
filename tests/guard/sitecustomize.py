"""Imported by Python itself where this folder is in PYTHONPATH: no connection leaves the machine, and each try is noted.

One line to a try, in the file that NETWORK_LOG names: what was called, where to, and on this machine which port.
"""

import os
import sys

LOOPBACK = ("127.0.0.1", "::1", "localhost", "0.0.0.0", "")
ASKED = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0, "socket.gethostbyname": 0}  # where the place stands


def _look(event: str, values: tuple[object, ...]) -> None:
    if event not in ASKED:
        return
    place = values[ASKED[event]]
    if event in ("socket.connect", "socket.sendto") and not isinstance(place, tuple):
        return  # a socket in the file system
    host = str(place[0] if isinstance(place, tuple) else place or "")
    port = place[1] if isinstance(place, tuple) else values[1] if event == "socket.getaddrinfo" else ""
    with open(os.environ["NETWORK_LOG"], "a", encoding="utf-8") as log:
        log.write(f"{event} {host} {port}\n")
    if host not in LOOPBACK:
        raise OSError(f"the network guard holds back {event} to {host}")


if "NETWORK_LOG" in os.environ:
    sys.addaudithook(_look)
