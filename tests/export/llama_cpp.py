"""A real llama.cpp for tests, through npm: node-llama-cpp brings it built, for Linux on x64, and needs Node 20.

`TEST_LLAMA_CPP=FOLDER` takes one that was installed there. Where there is no Node or no registry a test is skipped with the reason.
"""

import json
import os
import pathlib
import shutil
import subprocess
from typing import Any

import pytest

PACKAGES = ("node-llama-cpp@3.21.1", "@node-llama-cpp/linux-x64@3.21.1")
SCRIPT = pathlib.Path(__file__).with_name("llama_cpp.mjs")


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
