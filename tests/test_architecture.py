"""The rules of the house, held by walking the syntax trees: who imports whom, who prints, how long things are."""

import ast
import collections
import functools
import pathlib
import re
import string
import subprocess
import sys
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = [ROOT / "app.py", *sorted((ROOT / "tuning").rglob("*.py"))]

# The rooms from the top down; whoever stands on a floor imports from floors below it, or from its own room.
LAYERS = (
    {"app", "__main__"},
    {"cli"},
    {"ui"},
    {"serve"},
    {"studio"},
    {"export"},
    {"engine"},
    {"forecast"},
    {"tokens"},
    {"mirror"},
    {"rent"},
    {"data"},
    {"hub"},
    {"models"},
    {"runs", "presets", "machine", "sandbox"},
    {"text", "schema", "settings"},
    {"errors", ""},
)
CROWDED = 13  # modules of one room, beside its __init__
TABS = ("tuning/ui/tabs", "tuning/studio")  # named after the questions that the user answers, as other rooms may be
LINTERS = [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]]
# Who imports the libraries; whoever stands above imports them inside functions.
HEAVY = {name: {"engine", "export"} for name in ("torch", "peft", "trl", "accelerate", "bitsandbytes", "datasets")}
HEAVY["transformers"] = {"tokens", "engine", "export"}
# Insides of libraries that have no underscore.
INSIDES = {"http_get", "render_jinja_template", "masking_utils", "LoraVariant", "lora_variant", "cast_input_dtype_enabled"}
INSIDES |= {"distributed_state", "AcceleratorState", "__dict__", "sys.modules"}
UPSTREAM = "tuning/engine/upstream.py"
# Who holds insides elsewhere, because it stands below the engine or comes before it; and what is Python's own.
HOLDS = {
    "tuning/engine/__init__.py": {"sys.modules"},  # before any library is there
    "tuning/engine/shutdown.py": {"os._exit"},  # documented
    "tuning/hub/datasets.py": {"http_get"},
    "tuning/hub/models.py": {"http_get"},
    "tuning/hub/shelf.py": {"_winapi"},  # no other way to make a junction
    "tuning/tokens/audit.py": {"sys.modules"},
    "tuning/tokens/trial.py": {"sys.modules"},
    "tuning/tokens/template.py": {"render_jinja_template"},
}


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
    here, known = part(path), {name for names in LAYERS for name in names}
    for name in imported(path, inside_functions=True):
        top, *rest = name.split(".")
        if top == "tuning" and rest:
            target = rest[0] if rest[0] in known else ""
            assert target == here or layer(target) > layer(here), f"{path.name} imports upward or sideways: {name}"
        if top in HEAVY:
            late = here == "studio" and name not in imported(path, False)
            assert here in HEAVY[top] or late, f"{path.name} imports {name}"
        if top == "gradio":
            assert here == "ui" and path.name != "view.py", f"{path.name} imports gradio"


def module(path: pathlib.Path) -> str:
    """The dotted name of a file's module below tuning/."""
    return ".".join(path.relative_to(ROOT / "tuning").with_suffix("").parts).removesuffix("__init__").rstrip(".")


def among(place: str) -> dict[str, set[str]]:
    """Who imports whom among the modules and folders that lie in the folder `place` (dotted, "" for tuning/ itself)."""
    modules = {module(path): path for path in SOURCES if path.is_relative_to(ROOT / "tuning")}
    depth = place.count(".") + 1 if place else 0
    found: dict[str, set[str]] = {}
    for name, path in modules.items():
        if len(name.split(".")) <= depth or not f"{name}.".startswith(f"{place}." if place else ""):
            continue
        child = name.split(".")[depth]
        for other in imported(path, inside_functions=True):
            words = other.split(".")[1:] if other.startswith("tuning.") else []
            while words and ".".join(words) not in modules:
                words.pop()
            if len(words) > depth and words[:depth] == name.split(".")[:depth] and words[depth] != child:
                found.setdefault(child, set()).add(words[depth])
    return found


def test_no_room_and_no_file_stands_in_a_circle() -> None:
    """At each level: rooms of the house, and within a room its modules and the rooms inside it."""
    for folder in {path.parent for path in SOURCES if path.is_relative_to(ROOT / "tuning")}:
        place = ".".join(folder.relative_to(ROOT / "tuning").parts)
        left = among(place)
        while free := {name for name, others in left.items() if not others & left.keys()}:
            left = {name: others for name, others in left.items() if name not in free}
        assert not left, f"a circle in {place or 'tuning'}: {left}"


def test_no_room_is_crowded_and_each_module_s_name_stands_for_one_thing() -> None:
    rooms = collections.Counter(path.parent for path in SOURCES if path.name != "__init__.py")
    assert not {str(room.relative_to(ROOT)): count for room, count in rooms.items() if count > CROWDED}
    names = collections.defaultdict(list)
    for path in SOURCES:
        if not path.relative_to(ROOT).as_posix().startswith(TABS) and not path.name.startswith("__") and path.parent != ROOT:
            names[path.stem].append(str(path.relative_to(ROOT)))
    assert not {name: paths for name, paths in names.items() if len(paths) > 1}


def test_each_type_s_name_stands_for_one_thing() -> None:
    types = collections.defaultdict(list)
    for path in SOURCES:
        for node in parsed(path).body:
            target = node.name if isinstance(node, ast.ClassDef) else _alias(node)
            if target:
                types[target].append(str(path.relative_to(ROOT)))
    assert not {name: paths for name, paths in types.items() if len(paths) > 1}


def _alias(node: ast.stmt) -> str | None:
    """The name of a type that a line gives to another one, `Row = Mapping[str, Any]`."""
    target = node.targets[0] if isinstance(node, ast.Assign) else None
    if not isinstance(target, ast.Name) or not re.fullmatch(r"[A-Z][a-z]\w*", target.id):
        return None
    return target.id


def test_one_room_speaks_to_the_hub() -> None:
    callers = {path.stem for path in SOURCES if any(name.split(".")[0] == "huggingface_hub" for name in imported(path, True))}
    assert callers == {"models", "datasets", "push", "hub_jobs", "shadow", "refusals"}


def test_nobody_else_speaks_to_the_net() -> None:
    """The Hub's room; the webhook, which goes only where the owner said on the command line, and so does what is handed to Ollama, but to
    that of this machine; and what asks the llama.cpp that it has started here. Trackers do so by themselves."""
    net = ("httpx", "requests.", "aiohttp", "urllib3", "http.client", "urllib.request", "ftplib", "smtplib")
    callers = {path.stem for path in SOURCES if any(f"{name}.".startswith(net) for name in imported(path, True))}
    assert callers == {"models", "datasets", "refusals", "hub_jobs", "webhook", "ollama_api", "llama_server"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_whoever_stands_above_the_engine_imports_it_late(path: pathlib.Path) -> None:
    if part(path) in ("engine",):
        return
    light = {"tuning.engine.workshop.Workshop"}
    early = {name for name in imported(path, inside_functions=False) if name.startswith("tuning.engine")}
    assert early <= light, early


def test_what_is_held_of_libraries_insides_stands_in_one_module() -> None:
    """Private attributes and modules of others, by whatever way they are reached, in the rooms that use the large libraries."""
    held: dict[str, set[str]] = {}
    for path in SOURCES:
        if part(path) in ("engine", "tokens", "hub", "export") and (found := set(_held(path))):
            held[path.relative_to(ROOT).as_posix()] = found
    assert held.pop(UPSTREAM)
    assert held == HOLDS


def _held(path: pathlib.Path) -> Iterator[str]:
    """Insides of other libraries that a module names; a private name that is defined in tuning/ is our own, but not on what others made."""
    others = {name.split(".")[-1] for name in imported(path, True) if not name.startswith("tuning")}
    for node in nodes(path):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) != "upstream":
            on = node.value.id if isinstance(node.value, ast.Name) else ""
            foreign = on in others or node.attr not in ours()
            if ast.unparse(node) in INSIDES or node.attr in INSIDES:
                yield ast.unparse(node) if ast.unparse(node) in INSIDES else node.attr
            elif _private(node.attr) and on not in ("self", "cls") and foreign:
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "setattr", "hasattr", "delattr"):
            yield from (one.value for one in node.args[1:2] if isinstance(one, ast.Constant) and _private(str(one.value)))
    for name in imported(path, True):
        if not name.startswith("tuning"):
            yield from (word for word in name.split(".") if _private(word) or word in INSIDES)


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@functools.cache
def ours() -> frozenset[str]:
    """Names of functions, classes and attributes that are defined in tuning/."""
    made: set[str] = set()
    for node in (node for path in SOURCES for node in nodes(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            made.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) in ("self", "cls"):
            made.add(node.attr)
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            made |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(made)


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


DOTTED = re.compile(r"`((?:[a-z_]+\.)+[A-Za-z_]+)`")
DUTIES = re.compile(
    r"`(\w+)`'s? (?:affair|business)|(?:affair|business) of `(\w+)`|(?:Reading|Writing) stands in `(\w+)`|[Ww]ith `(\w+)` the only"
)


def gone(text: str) -> set[str]:
    """What a docstring names as a module of ours, or as something in one, and is none: as far as it can be told from other words."""
    if "`" not in text:
        return set()
    modules, rooms = ours_by_name(), {name for floor in LAYERS for name in floor}
    names = {word for name in modules for word in name.split(".")} | {"app"}
    found = {word for words in DUTIES.findall(text) for word in words if word and word not in names | defined()}
    for word in DOTTED.findall(text):
        *places, last = word.removeprefix("tuning.").split(".")
        if word in sentences() or not places:
            continue
        path = modules.get(".".join(places))
        if places[0] in rooms and ".".join([*places, last]) not in modules:
            if path is None or not re.search(rf"\b{last}\b", path.read_text(encoding="utf-8")):
                found.add(word)
        elif places[-1] not in names | strangers() | INSIDES and last in defined():
            found.add(word)
    return found


@functools.cache
def ours_by_name() -> dict[str, pathlib.Path]:
    return {module(path): path for path in SOURCES if path.is_relative_to(ROOT / "tuning")}


@functools.cache
def sentences() -> frozenset[str]:
    """The codes of the language files."""
    lines = (ROOT / "tuning/text/en.yaml").read_text(encoding="utf-8").splitlines()
    return frozenset(line.partition(":")[0] for line in lines)


@functools.cache
def defined() -> frozenset[str]:
    """Functions and classes of all modules."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return frozenset(node.name for path in SOURCES for node in parsed(path).body if isinstance(node, kinds))


@functools.cache
def strangers() -> frozenset[str]:
    """Modules of others, by the names under which they are imported."""
    nodes_of = (node for path in SOURCES for node in nodes(path) if isinstance(node, ast.Import))
    return frozenset(word for node in nodes_of for one in node.names for word in (one.asname or one.name).split("."))


def test_docstrings_name_no_module_that_is_gone() -> None:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    texts = [(path, ast.get_docstring(node) or "") for path in SOURCES for node in nodes(path) if isinstance(node, documented)]
    assert not {path.name: found for path, text in texts if (found := gone(text))}


def test_a_module_that_is_gone_is_seen() -> None:
    assert gone("`read.ingest` takes data in, as `engine.kernels.Rows` and `engine.old` do. Writing stands in `written`.") == {
        "read.ingest", "engine.kernels.Rows", "engine.old", "written",
    }  # fmt: skip
    assert not gone(
        "`ingest.ingest`, `engine.kernels.head.labelled_nll`, `subprocess.run`, `data.output`, `rented.json`. Reading stands in `disk`."
    )


def test_only_settings_reads_the_environment_and_only_the_terminal_prints() -> None:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        if part(path) != "settings":
            assert not re.search(r"os\.environ|os\.getenv", text), path.name
        if part(path) not in ("cli", "app"):
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
    assert set(compared) == {"tuning/engine/device.py"}


def test_one_module_of_the_page_holds_on_to_gradio_s_insides() -> None:
    """No private name of a stranger, no page set by hand, and of Gradio's modules only those that its reference names."""
    known, held = {"gradio", "gradio.themes.utils"}, []
    for path in SOURCES:
        if part(path) != "ui" or path.stem == "gradio_ways":
            continue
        private = [node for node in nodes(path) if isinstance(node, ast.Attribute) and re.match(r"_[a-z]|current_page$", node.attr)]
        mine = {node.attr for node in private if ast.unparse(node.value) in ("self", "cls")}
        held += [f"{path.name}: {ast.unparse(node)}" for node in private if node.attr not in mine]
        asked = [node for node in nodes(path) if isinstance(node, ast.Import | ast.ImportFrom)]
        modules = {name.name for node in asked if isinstance(node, ast.Import) for name in node.names}
        modules |= {node.module or "" for node in asked if isinstance(node, ast.ImportFrom)}
        held += [f"{path.name}: {name}" for name in modules if name.split(".")[0] == "gradio" and name not in known]
    assert not held


TAGS = re.compile(r"</?[a-zA-Z!]|(?:^|\s)[a-z-]+=\"")
MARKUP = "tuning/ui/markup.py"


def by_hand(tree: ast.AST) -> Iterator[str]:
    """HTML that does not come out of a template of `markup.html`: a literal with the fields that it is given."""
    templates = set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        first = call.args[0] if call.args else None
        literal = first.value if isinstance(first, ast.Constant) else None
        if ast.unparse(call.func) == "html":
            templates.add(id(first))
            fields = {name for _, name, _, _ in string.Formatter().parse(literal) if name is not None} if isinstance(literal, str) else None
            if fields != {word.arg for word in call.keywords}:
                yield ast.unparse(call)
        elif ast.unparse(call.func) in ("Html", "Markup") and call.args and literal is None:
            yield ast.unparse(call)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    templates |= {id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, documented) and isinstance(node.body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in templates and TAGS.search(node.value):
            yield node.value


def test_no_html_of_the_page_is_written_by_hand() -> None:
    """So that no escaping can be forgotten. Where a text is drawn as it is, `ui.door` escapes it."""
    ours = [path for path in SOURCES if part(path) == "ui" and path.relative_to(ROOT).as_posix() != MARKUP]
    assert not {path.relative_to(ROOT).as_posix(): found for path in ours if (found := list(by_hand(parsed(path))))}
    assert not [path.name for path in ours for name in imported(path, True) if name.split(".")[0] == "markupsafe"]
    unescaped = {
        path.name: re.findall(r"[{]{2}[^}]*\|\s*safe", path.read_text(encoding="utf-8")) for path in (ROOT / "tuning/ui").rglob("*.html")
    }
    assert unescaped == {"watching.html": ["{{ style|safe", "{{ follows|safe"]}  # the style sheet and a script of our own


def test_html_by_hand_is_seen() -> None:
    good = ["html('<b>{x}</b>', x=y)", "html('<b></b>')", "Html()", "Html(' ').join(x)", "joined(html('<i>{x:.1f}</i>', x=x) for x in y)"]
    bad = ["f'<b>{x}</b>'", "'<b>' + x", "html(f'<b>{x}</b>')", "html(x)", "html('<b>' + x)", "html('<b>{x}</b>')", "html('{x.y}', x=y)"]
    bad += ["html('<b></b>', x=y)", "Html(x)", "Markup(x)", "f'{x} class=\"{y}\"'", "'<b>{}</b>'.format(x)"]
    assert [line for line in good if list(by_hand(ast.parse(line)))] == []
    assert [line for line in bad if not list(by_hand(ast.parse(line)))] == []


def test_no_input_or_output_in_pure_modules() -> None:
    for path in SOURCES:
        pure = part(path) in ("schema", "forecast") or path.name == "view.py"
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


# Calls that wait for somebody else, and those without a limit of their own that are allowed, with what limits them.
WAITS = {"get", "join", "wait", "result", "acquire", "communicate"}
LIMITED = {
    "tuning/data/parallel.py": {"future.result()"},  # it is done, and its process has the limits of the sandbox
    "tuning/engine/learn/train.py": {"lock.acquire()"},  # a Lock of ours has a patience
    "tuning/engine/shutdown.py": {"subprocess.call([sys.executable, *arguments])"},  # on Windows, in the place of this process
    "tuning/hub/shelf.py": {"lock.acquire()"},
    "tuning/runs/locks.py": {"lock.acquire()"},
    "tuning/runs/run_folder.py": {"lock.acquire()"},
    "tuning/serve/programs/asking.py": {"self._come.get()"},  # the question's stream has a patience, and its end is told however it comes
    "tuning/studio/talk.py": {"comparison.result()"},  # which waits with patience
    "tuning/ui/parts/rows/bring.py": {"reading.result()"},  # it is done
    "tuning/ui/visits.py": {"_asking.get()"},  # a context variable
}


def waiting(tree: ast.AST) -> Iterator[str]:
    """Calls that may wait for ever: of a queue, thread, event, future, lock or process without a limit."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        named, values = {word.arg: word.value for word in node.keywords}, [*node.args, *(word.value for word in node.keywords)]
        endless = all(isinstance(value, ast.Constant) and (value.value is None or value.value is True) for value in values)
        process = ast.unparse(node.func.value) == "subprocess" and node.func.attr in ("run", "call", "check_call", "check_output")
        if (node.func.attr in WAITS and endless) or ((process or node.func.attr == "urlopen") and "timeout" not in named):
            yield ast.unparse(node)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_waits_without_a_limit(path: pathlib.Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    assert set(waiting(parsed(path))) == LIMITED.get(name, set())


def test_a_new_wait_without_a_limit_is_seen() -> None:
    limited = "q.get(timeout=1); t.join(5); e.wait(0.5); f.result(3); l.acquire(patience=0); d.get('key'); ', '.join(parts)"
    endless = ["q.get()", "q.get(True)", "t.join()", "e.wait(None)", "f.result()", "l.acquire()", "p.communicate()", "subprocess.run(x)"]
    assert list(waiting(ast.parse(limited))) == []
    assert list(waiting(ast.parse("; ".join(endless)))) == endless
