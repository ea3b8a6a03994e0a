"""What a run can be followed with beside the page: trackers by the names of transformers' `report_to`, and whether they can be used.

Found out before a run starts, so that none fails for it at the end of an evening. It logs nothing itself.
"""

import importlib
from importlib import metadata
from typing import Any

from tuning.errors import InputError, caught
from tuning.schema import TrainSettings
from tuning.settings import Mode

# By name: the packages of which one has to be there; the first is the one to install.
PACKAGES = {"tensorboard": ("tensorboard", "tensorboardX"), "wandb": ("wandb",), "trackio": ("trackio",)}
NONE = ("none", "no", "false", "")


def asked(settings: TrainSettings) -> list[str]:
    """The trackers under `sft.report_to`, one name or a list; none by default.

    Raises InputError `trackers.unknown` for another name, `trackers.missing` for one that is not installed.
    """
    given = settings.sft.get("report_to") or []
    words = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else [given]
    names = [word for word in dict.fromkeys(str(word).strip().lower() for word in words) if word not in NONE]
    for name in names:
        if name not in PACKAGES:
            raise InputError("trackers.unknown", tracker=name[:40], known=", ".join(PACKAGES))
        if not any(_installed(package) for package in PACKAGES[name]):
            raise InputError("trackers.missing", tracker=name, package=PACKAGES[name][0])
    return names


def allow(settings: TrainSettings, mode: Mode) -> list[str]:
    """As `asked`. Raises InputError `trackers.shared` too: what visitors train does not go out under the log-in of their host."""
    names = asked(settings)
    for name in names:
        if mode != "local" and name != "tensorboard":  # which writes into the run's folder, and nowhere else
            raise InputError("trackers.shared", tracker=name)
    return names


def check(settings: TrainSettings) -> None:
    """As `asked`, and that there is a log-in where one is needed. Raises InputError also `trackers.login`.

    Weights & Biases would ask for a key on the terminal, and wait there.
    """
    if "wandb" in asked(settings):
        wandb: Any = importlib.import_module("wandb")
        known: list[bool] = []
        caught(lambda: known.append(wandb.setup().settings.mode in ("offline", "disabled") or wandb.login(prompt=False)), "wandb's log-in")
        if not any(known):
            raise InputError("trackers.login")


def _installed(package: str) -> bool:
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True
