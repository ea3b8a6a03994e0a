"""A folder from which a GGUF file gets into Ollama on another computer: a Modelfile, a program to press and three sentences.

It is for somebody who has never seen a terminal. The GGUF file and the certificate are put beside it by `forms`.
"""

import pathlib
import shlex
from typing import Any

from tuning.export.ollama.ollama_api import LEAST, NOWHERE
from tuning.text import t

WINDOWS = """@echo off
chcp 65001 >nul
cd /d "%~dp0"
if not exist Modelfile goto packed
where ollama >nul 2>nul
if errorlevel 1 goto absent
{create}
if errorlevel 1 goto failed
{run}
goto end
:packed
echo {packed}
goto end
:absent
echo {absent}
goto end
:failed
echo {failed}
:end
pause
"""
POSIX = """#!/bin/sh
cd "$(dirname "$0")" || exit 1
command -v ollama >/dev/null 2>&1 || {{
    echo {absent}
    exit 1
}}
{create} || {{
    echo {failed}
    exit 1
}}
exec {run}
"""
SAID = ("packed", "absent", "failed")
PARAMS = "params"  # what `ollama run hf.co/…` reads beside a GGUF file in place of the Modelfile: JSON (huggingface.co/docs/hub/ollama)


def modelfile(file: str, how: dict[str, Any]) -> str:
    """What `ollama create` reads: the file, which brings its chat template, how it answers, and the tokens that end an answer."""
    least = ".".join(map(str, (*LEAST, 0)))
    lines = [
        f"# The chat template is in {file}, as it was trained: Ollama {least} is the first that asks by it.",
        f"FROM ./{file}",
        f"REQUIRES {least}",
        *(f"PARAMETER {name} {value}" for name, value in how.items() if name != "stop"),
        *(f'PARAMETER stop "{stop}"' for stop in how.get("stop", ()) if stop.isprintable() and '"' not in stop),  # it knows no escapes
    ]
    return "".join(f"{line}\n" for line in lines)


def write(folder: pathlib.Path, file: str, name: str, quantisation: str, how: dict[str, Any], lang: str) -> None:
    """Write all that goes beside the GGUF `file` in `folder`, which becomes the model `name`. Raises OSError."""
    (folder / "Modelfile").write_text(modelfile(file, how), encoding="utf-8")
    narrower = f" --quantize {quantisation}" if quantisation != NOWHERE else ""
    words = {key: t(lang, f"export.ollama.start.{key}") for key in SAID}
    words |= {"create": f"ollama create {name}{narrower} -f Modelfile", "run": f"ollama run {name}"}
    (folder / "start.cmd").write_text(WINDOWS.format(**words), encoding="utf-8", newline="\r\n")
    script = folder / "start.sh"
    quoted = {key: shlex.quote(text) if key in SAID else text for key, text in words.items()}
    script.write_text(POSIX.format(**quoted), encoding="utf-8", newline="\n")
    script.chmod(0o755)
    told = [t(lang, f"export.ollama.readme.{key}", run=words["run"]) for key in ("first", "second", "third")]
    numbered = [f"{number}. {text}\n" for number, text in enumerate(told, start=1)]
    (folder / t(lang, "export.ollama.readme.file")).write_text("\n".join(numbered), encoding="utf-8-sig", newline="\r\n")
