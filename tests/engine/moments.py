"""The moments of a save, and of the end of a run, at which something may happen to it; and those that the suite tries.

Each is what is about to happen in the run's folder, the how many-th time in one child, and so many changes later.
"""

from typing import Any

from tests.lots import lot

Moment = tuple[str, int, int]
Way = dict[str, Any]

BUILT, KEPT, OUT = "checkpoints/.building/checkpoint-N", "checkpoints/checkpoint-N", ".adapter"
SAVING: dict[str, Moment] = {
    "before the temporary folder": ("rmtree checkpoints/.building", 1, 0),
    "before the first file": (f"write {BUILT}/adapter_model.safetensors", 1, 0),
    "after the weights": (f"written {BUILT}/adapter_model.safetensors", 1, 0),
    "after the configuration": (f"write {BUILT}/optimizer.pt", 1, 0),
    "after the optimizer": (f"written {BUILT}/optimizer.pt", 1, 0),
    "after the schedule": (f"written {BUILT}/scheduler.pt", 1, 0),
    "after the random state": (f"written {BUILT}/rng_state.pth", 1, 0),
    "after the trainer's state": (f"write {BUILT}/best.json", 1, 0),
    "after the best adapter": (f"written {BUILT}/best.safetensors", 1, 0),
    "before the manifest": (f"write {BUILT}/manifest.json~", 1, 0),
    "before the manifest has its name": (f"rename {BUILT}/manifest.json", 1, 0),
    "before the rename": (f"rename {KEPT}", 1, 0),
    "after the rename": (f"rename {KEPT}", 1, 1),
}
LATER: dict[str, Moment] = {
    "before the rotation": (f"rmtree {KEPT}", 1, 0),
    "during the rotation": (f"rmtree {KEPT}", 1, 3),
    "before the state": ("rename state.json", 4, 0),
    "before the adapter": (f"rmtree {OUT}", 1, 0),
    "during the adapter": (f"written {OUT}/adapter_model.safetensors", 1, 0),
    "before the adapter has its name": ("rename adapter", 1, 0),
    "after the adapter": ("rename adapter", 1, 1),
}
TORN = ("adapter_model.safetensors", "optimizer.pt", "rng_state.pth", "trainer_state.json", "best.safetensors")

SAVED = (
    "adapter_model.safetensors", "adapter_config.json", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "best.json",
    "best.safetensors", "manifest.json~",
)  # fmt: skip
FULL: list[Moment] = [
    *((f"write {BUILT}/{name}", 2, 0) for name in SAVED),
    (f"rename {KEPT}", 2, 0),
    ("write state.json~", 1, 0),
    ("write metrics.jsonl", 6, 0),
    ("write log.txt", 1, 0),
    (f"write {OUT}/adapter_model.safetensors", 1, 0),
    (f"write {OUT}/tokenizer_config.json", 1, 0),
    (f"write {OUT}/README.md", 2, 0),
    ("rename adapter", 1, 1),
]
STOPS: list[Moment] = [
    ("rmtree checkpoints/.building", 1, 0),
    (f"write {BUILT}/adapter_model.safetensors", 1, 0),
    (f"written {BUILT}/optimizer.pt", 1, 0),
    (f"written {BUILT}/rng_state.pth", 1, 0),
    (f"write {BUILT}/manifest.json~", 1, 0),
    (f"rename {KEPT}", 1, 0),
    (f"rename {KEPT}", 1, 1),
    (f"rmtree {KEPT}", 1, 2),
]
# Twelve of them.
IN_THE_SUITE = (
    "before the temporary folder",
    "before the first file",
    "after the weights",
    "after the optimizer",
    "after the random state",
    "before the manifest",
    "before the rename",
    "after the rename",
)
LATER_IN_THE_SUITE = ("during the rotation", "before the adapter", "during the adapter", "after the adapter")


def killed_at(points: dict[str, Moment]) -> list[Way]:
    return [{"at": list(point), "do": "kill"} for point in points.values()]


def torn(names: tuple[str, ...] = TORN) -> list[Way]:
    return [{"at": [f"write {BUILT}/{name}", 1, 0], "do": "tear"} for name in names]


def filled(moments: list[Moment], *sizes: int) -> list[Way]:
    """The disk takes nothing more, or small files only."""
    return [{"at": list(moment), "do": "fill", "with": [size]} for moment in moments for size in sizes]


def stopped(moments: list[Moment]) -> list[Way]:
    """Stop, pressed once or twice."""
    return [{"at": list(moment), "do": "stop", "times": 1 + number % 2} for number, moment in enumerate(moments)]


def cut(moments: list[Moment]) -> list[Way]:
    """Ctrl-C for the second time."""
    return [{"at": list(moment), "do": "interrupt"} for moment in moments]


def sample() -> list[Way]:
    """What the suite does in one process: all of it for one test each of kills, full disks and stops."""
    saving, later = ({name: points[name] for name in names} for points, names in ((SAVING, IN_THE_SUITE), (LATER, LATER_IN_THE_SUITE)))
    seeds = lot("kills").sample(range(10**6), 1)
    print("seeds", seeds)
    return [
        {"name": "saving", "ways": killed_at(saving)},
        {"name": "later", "ways": [*torn(TORN[:1]), *killed_at(later)]},
        *({"seed": seed, "deaths": 10} for seed in seeds),
        {"name": "full", "ways": filled([FULL[2], FULL[8], FULL[10], FULL[11], FULL[13]], 0)},
        {"name": "stopped", "ways": stopped(STOPS[1:6:2])},
        {"name": "cut", "ways": cut([STOPS[2]])},
    ]
