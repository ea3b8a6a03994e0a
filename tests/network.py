"""Processes that cannot reach the net, and what they tried: the other side of `guard.sitecustomize`."""

import os
import pathlib

GUARD = pathlib.Path(__file__).resolve().parent / "guard"
ONLINE = ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "DISABLE_TELEMETRY", "GRADIO_ANALYTICS_ENABLED")


def guarded(log: pathlib.Path) -> dict[str, str]:
    """The environment of somebody who is online and has switched nothing off, with the guard."""
    kept = {key: value for key, value in os.environ.items() if key not in (*ONLINE, "HF_TOKEN", "HF_ENDPOINT")}
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    return {**kept, "PYTHONPATH": str(GUARD), "NETWORK_LOG": str(log)}


def tried(log: pathlib.Path) -> list[str]:
    """What was asked for outside of this machine, once each."""
    lines = [line.split(" ") for line in log.read_text(encoding="utf-8").splitlines()]
    return sorted({" ".join(line) for line in lines if line[1] not in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "")})
