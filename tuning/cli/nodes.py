"""One training on several machines: the line of torchrun for each of them, to be typed there. Nothing is started here.

Each machine computes with all its cards, or with one process on its processor; the first one alone plans, writes and prints.
"""

import argparse
import contextlib
import shlex
import socket
import sys
from typing import Any

from tuning.errors import InputError
from tuning.studio import Studio
from tuning.text import t

MOST = 64
PORT = 29500  # torchrun's own, where it is free
NOWHERE = ("192.0.2.1", 9)  # RFC 5737: no packet goes there; the system only says by which address it would


def lines(studio: Studio, options: argparse.Namespace, lang: str) -> tuple[int, Any]:
    """A line for each machine. Raises InputError for a number that makes no sense, and where the run is to be rented."""
    if not 2 <= options.nodes <= MOST:
        raise InputError("cli.nodes", most=MOST)
    if options.rent:
        raise InputError("cli.nodes_rent")
    here, processes = address(), max(1, len(studio.hardware()["gpus"]))
    words = ["-m", "tuning", "--home", str(studio.settings.home), *_asked(options.words, options.verb)]
    shared = ["--nproc_per_node", str(processes), "--master_addr", here, "--master_port", str(_port())]
    print(t(lang, "cli.nodes.how", home=studio.settings.home, address=here, processes=processes), file=sys.stderr)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nnodes", str(options.nodes)]
    return 0, {"lines": [shlex.join([*launcher, "--node_rank", str(node), *shared, *words]) for node in range(options.nodes)]}


def address() -> str:
    """The address by which other machines reach this one, as far as it knows."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(NOWHERE)
        return str(probe.getsockname()[0])
    return "127.0.0.1"


def _port() -> int:
    for port in (PORT, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            return int(probe.getsockname()[1])
    return PORT


def _asked(words: list[str], verb: str) -> list[str]:
    """The words of the command line from the verb on, without the number of machines."""
    begin = next(place for place, word in enumerate(words) if word == verb and words[place - 1 : place] != ["--home"])
    kept, rest = [verb], iter(words[begin + 1 :])
    for word in rest:
        name, sign, _ = word.partition("=")
        if len(name) > len("--n") and "--nodes".startswith(name):  # argparse takes beginnings, too
            if not sign:
                next(rest)
        else:
            kept.append(word)
    return kept
