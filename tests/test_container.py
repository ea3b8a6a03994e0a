"""The image and its compose file, read as text: what they copy is there, what they start is an app that asks for log-ins, as nobody's root.

No image is built here; a test that runs what the CMD says does so in this checkout. Linters of others read both: hadolint, which the
tests' requirements bring, and `docker compose config` where Docker's Compose is installed.
"""

import fnmatch
import json
import pathlib
import re
import shutil
import subprocess
import sys

import httpx
import pytest
import yaml

from tests.bench.server import ROOT, free_port, wait_for
from tuning.cli import app


def steps() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, each with what follows it on all its lines."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


def test_the_image_holds_what_the_app_needs_and_nothing_of_whoever_builds_it() -> None:
    copied = [source for word, rest in steps() if word == "COPY" for source in rest.split()[:-1]]
    assert set(copied) >= {"app.py", "presets", "tuning", "requirements.txt"} and all((ROOT / source).exists() for source in copied)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in ignored and {line[1:] for line in ignored if line.startswith("!")} == set(copied)
    assert not any(fnmatch.fnmatch("log-ins.txt", line[1:]) for line in ignored if line.startswith("!"))


def test_nobody_is_root_in_it_and_what_is_made_outlives_it() -> None:
    found = steps()
    (user,) = [rest for word, rest in found if word == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user) and [word for word, _ in found].index("USER") > max(
        place for place, (word, _) in enumerate(found) if word in ("RUN", "COPY")
    )
    (kept,) = [rest for word, rest in found if word == "VOLUME"]
    assert f"TUNING_HOME={kept}" in [rest for word, rest in found if word == "ENV"]
    service = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["sartoria"]
    assert service["volumes"] == [f"work:{kept}"]
    (card,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert (card["driver"], card["capabilities"]) == ("nvidia", ["gpu"])


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    hadolint = shutil.which("hadolint", path=str(pathlib.Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("no hadolint: tests/requirements.txt has it for Linux on x64 and ARM and for macOS on ARM")
    done = subprocess.run([hadolint, "--failure-threshold", "style", "Dockerfile"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_docker_compose_itself_reads_what_is_meant(tmp_path: pathlib.Path) -> None:
    """Docker's own Compose: no service is started, no image is fetched."""
    if shutil.which("docker") is None or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        pytest.skip("no Docker Compose on this machine")
    (tmp_path / "compose.yaml").write_text((ROOT / "compose.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "log-ins.txt").write_text("anna:gatto:7\n", encoding="utf-8")
    words = ["docker", "compose", "config", "--format", "json"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    service = json.loads(done.stdout)["services"]["sartoria"]
    assert service["deploy"]["resources"]["reservations"]["devices"] == [{"capabilities": ["gpu"], "driver": "nvidia", "count": -1}]
    assert service["ports"][0]["target"] == 7860 and service["secrets"][0]["source"] == "log-ins"


def test_what_it_starts_asks_for_log_ins_and_says_that_it_is_well(tmp_path: pathlib.Path) -> None:
    (command,) = [json.loads(rest) for word, rest in steps() if word == "CMD"]
    (health,) = [json.loads(rest.partition("CMD ")[2]) for word, rest in steps() if word == "HEALTHCHECK"]
    (secret,) = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["sartoria"]["secrets"]
    assert command[-1] == f"/run/secrets/{secret}"
    people, port = tmp_path / "log-ins.txt", free_port()
    people.write_text("anna:gatto:7\n", encoding="utf-8")
    arguments = [*command[2:-1], str(people), "--port", str(port), "--home", str(tmp_path / "home")]
    assert app.options(arguments).host == "0.0.0.0"
    process = subprocess.Popen([sys.executable, "app.py", *arguments], cwd=ROOT)
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz", process)
        assert httpx.get(f"http://127.0.0.1:{port}/config").status_code == 401
        check = [sys.executable, *(part.replace("7860", str(port)) for part in health[1:])]
        assert subprocess.run(check, check=False).returncode == 0
    finally:
        process.kill()
        process.wait()
    assert subprocess.run(check, check=False, stderr=subprocess.DEVNULL).returncode != 0
