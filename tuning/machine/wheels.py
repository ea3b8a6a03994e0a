"""Which optional wheels for speed on NVIDIA cards are installed here, found without importing them.

They are used where they are and never fetched: `kernels`, which downloads code from the Hub, is none of them, and the engine
keeps it out of its process.
"""

import importlib.util
import re
from importlib import metadata

# What is imported: what is installed by pip, the oldest version, and what it needs beside it. flash-attn: the oldest that
# transformers takes. liger-kernel: the arguments of its functions were read in 0.6.0 and 0.8.5.
WHEELS: dict[str, tuple[str, tuple[int, ...], tuple[str, ...]]] = {
    "flash_attn": ("flash-attn", (2, 3, 3), ()),
    "liger_kernel": ("liger-kernel", (0, 6, 0), ("triton",)),
}


def installed() -> dict[str, str]:
    """The version of each wheel that can be used, by the name that is imported.

    FlashAttention 4 comes under the name of 2 too, but not from the package "flash-attn".
    """
    found: dict[str, str] = {}
    for module, (package, oldest, beside) in WHEELS.items():
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
        if _numbers(version) >= oldest and all(_there(name) for name in (module, *beside)):
            found[module] = version
    return found


def _there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a package that hides itself, or is half there
        return False


def _numbers(version: str) -> tuple[int, ...]:
    """(2, 8, 3) of "2.8.3.post1+cu130"."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
