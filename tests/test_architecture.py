"""The rules of the house, held by walking the syntax trees: who imports whom, who prints, how long things are."""

import ast
import functools
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = [ROOT / "app.py", *sorted((ROOT / "tuning").rglob("*.py"))]

# From the top down; a module imports from its own layer or from below.
LAYERS = (
    {"app", "cli", "foreground", "options", "__main__"},
    {"ui", "serve"},
    {"studio"},
    {"engine", "export"},
    {"plan", "data", "models"},
    {"runs"},
    {"presets", "legacy", "text", "schema", "settings"},
    {"errors", ""},
)
LINTERS = [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]]
HEAVY = {"torch", "transformers", "peft", "trl", "accelerate", "bitsandbytes", "datasets"}


def part(path: pathlib.Path) -> str:
    """The folder or module below tuning/ that a file belongs to."""
    relative = path.relative_to(ROOT)
    if relative.parts[0] != "tuning":
        return relative.stem
    return "" if relative.name == "__init__.py" and len(relative.parts) == 2 else relative.with_suffix("").parts[1]


def layer(name: str) -> int:
    return next(depth for depth, names in enumerate(LAYERS) if name in names)


def imports(tree: ast.AST, inside_functions: bool) -> Iterator[str]:
    """Full names of imported modules, those under TYPE_CHECKING left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif inside_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from imports(node, inside_functions)


@functools.cache
def parsed(path: pathlib.Path) -> ast.Module:
    """Every file is read once for all rules."""
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def imported(path: pathlib.Path, inside_functions: bool) -> tuple[str, ...]:
    return tuple(imports(parsed(path), inside_functions))


@functools.cache
def nodes(path: pathlib.Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(parsed(path)))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: pathlib.Path) -> None:
    here = layer(part(path))
    for name in imported(path, inside_functions=True):
        top, *rest = name.split(".")
        if top == "tuning" and rest:
            known = {name for names in LAYERS for name in names}
            target = rest[0] if rest[0] in known else ""
            assert layer(target) >= here, f"{path.name} imports upward: {name}"
        if top in HEAVY:
            late = part(path) == "studio" and name not in imported(path, False)
            heavy_here = part(path) in ("engine", "export") or late
            assert heavy_here, f"{path.name} imports {name}"
        if top == "gradio":
            assert part(path) in ("app", "ui") and path.name != "view.py", f"{path.name} imports gradio"


def test_two_modules_speak_to_the_hub() -> None:
    callers = {path.stem for path in SOURCES if any(name.split(".")[0] == "huggingface_hub" for name in imported(path, True))}
    assert callers == {"hub", "hub_data"}


def test_nobody_else_speaks_to_the_net() -> None:
    """The Hub's two, and the webhook, which goes only where the owner said on the command line. Trackers do so by themselves."""
    net = ("httpx", "requests.", "aiohttp", "urllib3", "http.client", "urllib.request", "ftplib", "smtplib")
    callers = {path.stem for path in SOURCES if any(f"{name}.".startswith(net) for name in imported(path, True))}
    assert callers == {"hub", "hub_data", "webhook"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_whoever_stands_above_the_engine_imports_it_late(path: pathlib.Path) -> None:
    if part(path) in ("engine",):
        return
    light = {"tuning.engine.workshop.Workshop"}
    early = {name for name in imported(path, inside_functions=False) if name.startswith("tuning.engine")}
    assert early <= light, early


def test_the_tail_is_capped() -> None:
    long_files = [path.name for path in SOURCES if len(path.read_text(encoding="utf-8").splitlines()) > 400]
    assert not long_files
    for path in SOURCES:
        cap = 100 if path.parent.name == "tabs" else 60
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= cap, f"{path.name}: {node.name} has {length} lines"


def test_every_module_says_what_it_is_for() -> None:
    for path in SOURCES:
        assert ast.get_docstring(parsed(path)), f"{path.relative_to(ROOT)} has no docstring"


def test_only_settings_reads_the_environment_and_only_the_terminal_prints() -> None:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        if part(path) != "settings":
            assert not re.search(r"os\.environ|os\.getenv", text), path.name
        if part(path) not in ("cli", "foreground", "app"):
            calls = [node for node in nodes(path) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
            assert not [call for call in calls if call.func.id == "print"], path.name  # type: ignore[attr-defined]


def test_three_edges_catch_everything_and_nobody_else() -> None:
    broad = []
    for path in SOURCES:
        for node in nodes(path):
            if not isinstance(node, ast.ExceptHandler) or any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
                continue
            if node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"):
                broad.append(path.relative_to(ROOT).as_posix())
    assert len(broad) <= 3, broad


def test_a_device_is_told_from_another_in_one_place() -> None:
    """Who wants to know asks `schema.on_card` or the engine's `Device`."""
    compared = []
    for path in SOURCES:
        for node in ast.walk(parsed(path)):
            sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
            told = any(isinstance(side, ast.Attribute) and side.attr == "reason" for side in sides)  # why a run failed
            if not told and any(isinstance(side, ast.Constant) and side.value in ("cpu", "cuda", "mps") for side in sides):
                compared.append(str(path.relative_to(ROOT)))
    assert set(compared) == {"tuning/engine/device.py", "tuning/schema.py"} and compared.count("tuning/schema.py") == 1


def test_no_input_or_output_in_pure_modules() -> None:
    for path in SOURCES:
        pure = part(path) in ("schema", "plan") or path.name == "view.py"
        if pure:
            assert not re.search(r"\bopen\(|read_text|write_text|subprocess|socket", path.read_text(encoding="utf-8")), path.name


def test_nothing_that_runs_strangers_code() -> None:
    banned = r"trust_remote_code=True|shell=True|pickle\.load|torch\.load\(|yaml\.load\((?!.*Safe)|sanitize_html=False|(?<![\w.])eval\("
    for path in SOURCES:
        assert not re.search(banned, path.read_text(encoding="utf-8")), path.name


def test_the_app_imports_without_torch() -> None:
    code = "import sys, app; print([name for name in ('torch', 'transformers', 'peft', 'trl', 'datasets') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


def test_linters_are_content() -> None:
    for command in LINTERS:
        done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-500:]}"
