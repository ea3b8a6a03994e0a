"""Which lines of the product stand under a condition that asks for a card, and which of them were run: a loader that counts.

`install` before anything of `tuning` is imported. A condition counts as run when it has said "card"; a statement that only a card
reaches, and a call of torch.cuda or torch.mps, when it was come to and, for a call, has answered.
"""

import ast
import builtins
import importlib.abc
import importlib.machinery
import pathlib
import sys
from collections import defaultdict
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEVICES = ("cuda", "mps")
CALLS = ("torch.cuda.", "torch.mps.", "cuda.get", "cuda.memory", "cuda.device")
BLOCKS = ("body", "orelse", "finalbody")
GOAL = 0.9
# The tests that play a card, as files.
PLAYED = (
    "tests/engine/test_whole_card.py",
    "tests/engine/test_device.py",
    "tests/engine/kernels/test_ready.py",
    "tests/forecast/test_plan.py",
    "tests/forecast/test_apple.py",
    "tests/forecast/test_acceleration.py",
    "tests/forecast/test_ways_out.py",
    "tests/machine/test_hardware.py",
)
_RESTART = "in a process that takes its own place: tests/engine/learn/test_restart.py"
_LAUNCHED = "in processes that are launched: tests/engine/learn/test_launching.py"
_FAILS = "a card that fails for good in a launched process: in one process it is played"
# Lines that are not run so, and why.
REASONS = {
    'if state.reason == "cuda" and studio.settings.world_size == 1 and run.retry():': _RESTART,
    'print(t(lang, "cli.restarting"), file=sys.stderr)': _RESTART,
    'words = ["resume", run.id, "--lang", lang, *(["--json"] if as_json else [])]': _RESTART,
    'shutdown.anew("-m", "tuning", "--home", str(studio.settings.home), *words)': _RESTART,
    "return max(1, min(spec.processes, cards)) if spec.settings.on_nvidia else 1": _LAUNCHED,
    'if not self.gone and self.target.state().reason == "cuda" and self.target.retry():': _FAILS,
    "self.target.enqueue(first=True)": _FAILS,
    "there = torch.cuda.device_count() if self.count > 1 and on_nvidia(planned) else self.here": _LAUNCHED,
    "if spec.settings.on_card != (machine.card is not None):": "a card: none is rented for here; tests/rent",
    "if Device(self.settings.device).substitutes:": "on the meta device, in a process of its own: tests/engine/measure/test_dryrun.py",
}
HOOK = "__card_line__"  # the name that counted code calls
Place = tuple[str, int]  # file and line

seen: dict[Place, set[tuple[int, Any]]] = defaultdict(set)


def _count(value: Any, file: str, line: int, number: int) -> Any:
    seen[file, line].add((number, bool(value) if isinstance(value, bool) else None))
    return value


def _says(node: ast.AST) -> bool | None:
    """What this condition says of a card; None where it does not ask for one."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _says(node.operand)
        return None if inner is None else not inner
    if isinstance(node, ast.Attribute) and node.attr in ("on_card", "on_nvidia", "substitutes"):
        return node.attr != "substitutes"
    if isinstance(node, ast.Compare):
        named = any(isinstance(side, ast.Constant) and side.value in (*DEVICES, "CUDA error") for side in (node.left, *node.comparators))
        return not any(isinstance(each, ast.NotEq) for each in node.ops) if named else None
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        prefix = bool(node.args) and isinstance(node.args[0], ast.Constant) and node.args[0].value in DEVICES
        return True if name in ("on_card", "on_nvidia", "is_available") or (name == "startswith" and prefix) else None
    return None


def _branch(test: ast.expr) -> bool | None:
    """Which side of an `if` only a card reaches: True its body, False the other; None where either may."""
    if isinstance(test, ast.BoolOp):
        wanted = isinstance(test.op, ast.And)
        return wanted if any(_says(value) is wanted for value in test.values) else None
    return _says(test)


class Counting(ast.NodeTransformer):
    """Puts a count around whatever stands under a condition that asks for a card. `places`: what there is to be counted, by line."""

    def __init__(self, file: str) -> None:
        self.file, self.places = file, dict[int, set[tuple[int, Any]]]()
        self._numbers = 0

    def _call(self, node: ast.expr, line: int, wanted: bool | None) -> ast.expr:
        self._numbers += 1
        self.places.setdefault(line, set()).add((self._numbers, wanted))
        words = [node, *(ast.Constant(value) for value in (self.file, line, self._numbers))]
        return ast.copy_location(ast.Call(ast.Name(HOOK, ast.Load()), words, []), node)

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.expr) and not isinstance(node, ast.UnaryOp) and (wanted := _says(node)) is not None:
            self.generic_visit(node)
            boolean = ast.copy_location(ast.Call(ast.Name("bool", ast.Load()), [node], []), node)
            return self._call(boolean, node.lineno, wanted)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(CALLS):
            self.generic_visit(node)
            return self._call(node, node.lineno, None)
        if isinstance(node, ast.IfExp | ast.If) and isinstance(node.test, ast.Name) and node.test.id == "on_cpu":
            node.test = self._call(node.test, node.lineno, False)
        for name in BLOCKS:
            if isinstance(block := getattr(node, name, None), list):
                setattr(node, name, self._block(block))
        return self.generic_visit(node)

    def _block(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        """The statements, those that only a card reaches each behind a count of its own."""
        found, only_card = list[ast.stmt](), False
        for statement in statements:
            found += self._reached([statement]) if only_card else [statement]
            side = _branch(statement.test) if isinstance(statement, ast.If) else None
            if isinstance(statement, ast.If) and side is not None:
                name = "body" if side else "orelse"
                setattr(statement, name, self._reached(getattr(statement, name)))
                only_card |= not side and not statement.orelse and isinstance(statement.body[-1], ast.Return | ast.Raise)
        return found

    def _reached(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        """A count before each statement, and before each one in it."""
        found = list[ast.stmt]()
        for each in statements:
            for name in BLOCKS:
                if not isinstance(each, ast.FunctionDef) and (block := getattr(each, name, None)):
                    setattr(each, name, self._reached(block))
            count = self._call(ast.copy_location(ast.Constant(None), each), each.lineno, None)
            found += [ast.copy_location(ast.Expr(count), each), each]
        return found


def transformed(path: pathlib.Path) -> tuple[ast.Module, dict[int, set[tuple[int, Any]]]]:
    counting = Counting(path.relative_to(ROOT).as_posix())
    tree = counting.visit(ast.parse(path.read_text(encoding="utf-8")))
    return ast.fix_missing_locations(tree), counting.places


class Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        return compile(transformed(pathlib.Path(self.path))[0], self.path, "exec")


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(name, path) if name.startswith("tuning.") else None
        if spec is not None and spec.origin and spec.origin.endswith(".py"):
            spec.loader = Loader(name, spec.origin)
        return spec


def install() -> None:
    assert not any(name.startswith("tuning.") for name in sys.modules)
    setattr(builtins, HOOK, _count)
    sys.meta_path.insert(0, Finder())


def coverage() -> dict[Place, bool]:
    """All lines under a condition that asks for a card, and whether each was run as on one."""
    found = {}
    for path in sorted((ROOT / "tuning").rglob("*.py")):
        for line, wanted in transformed(path)[1].items():
            file = path.relative_to(ROOT).as_posix()
            found[file, line] = wanted <= seen[file, line]
    return found


def main() -> int:
    """`python -m tests.engine.card_lines`: the tests that play a card, counted; then what was not run, with its reason."""
    import pytest

    install()
    words = [
        "-n0",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "not gpu",
        "--deselect",
        f"{PLAYED[0]}::test_lines_that_only_a_card_reaches_are_run",
    ]
    failed = pytest.main([*words, *PLAYED])
    found = coverage()
    left = {place: found[place] for place in found if not found[place]}
    for file, line in left:
        text = _text((file, line))
        print(f"{file}:{line}  {text[:90]}\n    {REASONS.get(text, 'NO REASON')}")
    share = 1 - len(left) / len(found)
    print(f"{len(found)} lines under a condition that asks for a card, {100 * share:.0f} % run, {len(left)} not")
    return int(failed) or int(share < GOAL or any(_text(place) not in REASONS for place in left))


def _text(place: Place) -> str:
    return (ROOT / place[0]).read_text(encoding="utf-8").splitlines()[place[1] - 1].strip()


if __name__ == "__main__":
    sys.exit(main())
