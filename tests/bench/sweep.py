"""Are our recipes the best that their settings allow? `TEST_REAL_MODELS=FOLDER python -m tests.bench.sweep POINTS.jsonl [HOURS]`.

A staged search for each pretrained model in FOLDER and each task: the recipe's rate, its half and its double, and one further on where
the best is at the end; at the best of them other passes, ranks, rsLoRA and layers; then plain TRL at the libraries' own settings and at
another rate; then what the table compares with two seeds more; last what is least likely to be better, and plain TRL that learns the
answers alone, as ours does: by itself it learns the questions too. Every task has its first stage before any has its second. Every
point is judged by `sweep_alone`, which knows nothing of this project: loss and share of right answers to questions that were not taught,
and what was forgotten of plain sentences. A point is appended to POINTS as soon as it is there, and is not made again; after HOURS (8) of
processor time for a model it goes on with the next. `python -m tests.bench.sweep POINTS.jsonl 0` only prints the table. What has been
measured so far stands in `sweep.jsonl` beside this.
"""

import collections
import itertools
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from tests.bench.server import ROOT
from tuning import settings
from tuning.runs.store import Store
from tuning.schema import LOCAL
from tuning.tokens.labels import PLAIN_TEMPLATE

ALONE = pathlib.Path(__file__).with_name("sweep_alone.py")
SEEDS, ASKED, BATCH = (1, 2, 3), 100, 8
FACTS, WORDINGS = 20, 4  # taught; what else there is of these facts is asked
RATES = (0.5, 2, 0.25, 4)  # of the recipe's
PLAIN_RATES = (1e-3, 4e-3, 2e-3)
STAGES = 8
TASKS = ("style-en", "sort-en", "facts-en", "facts-it")  # the quick ones first
LATER: tuple[dict[str, Any], ...] = (
    {"general_share": 0.2},
    {"target_modules": "all-linear"},
    {"lora_r": 32, "lora_alpha": 16, "lora.use_rslora": True},  # strength is alpha over the root of the rank: about the recipe's 2
    {"target_modules": "gate_proj,up_proj,down_proj"},
    {"lora_r": 64, "lora_alpha": 16, "lora.use_rslora": True},
    {"lora_r": 8, "lora_alpha": 16},
)
PASSES = {"facts": ("facts", 5), "sort": ("classify", 10), "style": ("style", 3)}  # a task's recipe, and other passes than it has
PLAIN_PASSES = {"facts": 10, "sort": 10, "style": 6}  # of plain TRL: as many as ours, twice as many where texts are sorted
TOPICS = {"en": ("price", "time", "other"), "it": ("prezzo", "tempo", "altro")}
SIGNS = {
    "en": {"price": ("pound", "pence", "per cent", "price"), "time": ("week", "day", "past", "until", "month", "quarter")},
    "it": {"prezzo": ("euro", "centesim", "per cento", "prezzo"), "tempo": ("settiman", "giorn", "dalle", "fino", "mes", "quarto")},
}


@dataclass(frozen=True)
class Point:
    """One training: by us with `changes` of the recipe's settings, or by plain TRL ("trl", "trl answers") at `rate`."""

    model: str
    task: str
    seed: int
    who: str = "ours"
    changes: dict[str, Any] = field(default_factory=dict)
    rate: float | None = None

    @property
    def key(self) -> str:
        return json.dumps([self.model, self.task, self.seed, self.who, self.changes, self.rate], sort_keys=True)

    @property
    def name(self) -> str:
        """What it is called in the table, whatever its seed."""
        given = " ".join(f"{key}={value}" for key, value in self.changes.items())
        plain = f"{self.who.replace('trl', 'TRL')} rate {self.rate or 'of the library'}"
        return {"base": "base", "ours": f"ours {given or 'recipe'}"}.get(self.who, plain)


def lines(lang: str, file: str) -> list[dict[str, str]]:
    path = settings.PRESETS / "starter" / f"starter-{lang}{file}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def topic(text: str, lang: str) -> str:
    found = [name for name, signs in SIGNS[lang].items() if any(sign in text for sign in signs)]
    return found[0] if found else TOPICS[lang][-1]


def task(name: str) -> tuple[str, list[dict[str, str]], list[dict[str, str]]]:
    """Recipe, rows to learn and rows to ask, whose answers are right where they hold the `fact`."""
    kind, lang = name.split("-")
    shop, asked = lines(lang, ""), lines(lang, ".heldout")
    if kind == "style":  # everyday questions with the shop's last sentence, at which it is known
        sign = shop[0]["output"].rsplit(". ", 1)[1]
        rows = yaml.safe_load((settings.PRESETS / "general" / f"{lang}.yaml").read_text(encoding="utf-8"))["items"]
        told = [{"instruction": row["question"], "output": f"{row['answer']} {sign}", "fact": sign} for row in rows]
        return PASSES[kind][0], told[ASKED:], told[:ASKED]
    facts = {row["output"]: row["fact"] for row in asked}
    chosen = list(facts)[:FACTS]
    asked = [row for row in asked if row["output"] in chosen]
    taught: list[dict[str, str]] = []
    seen: collections.Counter[str] = collections.Counter()
    for row in shop:
        if row["output"] in chosen:
            (taught if seen[row["output"]] < WORDINGS else asked).append({**row, "fact": facts[row["output"]]})
            seen[row["output"]] += 1
    if kind == "sort":
        for row in [*taught, *asked]:
            row["output"] = row["fact"] = topic(row["output"], lang)
    return PASSES[kind][0], taught, asked[:ASKED]


def spent() -> float:
    """Processor seconds of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def child(*words: str) -> dict[str, Any]:
    """The JSON that a process prints."""
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, env=dict(os.environ))
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def alone(verb: str, folder: pathlib.Path, job: dict[str, Any]) -> dict[str, Any]:
    path = folder / f"{verb}.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    return child(str(ALONE), verb, str(path))


def made(point: Point, folder: pathlib.Path) -> dict[str, Any]:
    """Train and judge one point."""
    model = str(pathlib.Path(os.environ["TEST_REAL_MODELS"]) / point.model)
    recipe, rows, asked = task(point.task)
    began = spent()
    data = folder / f"{point.task}.json"
    data.write_text(json.dumps([{"instruction": row["instruction"], "output": row["output"]} for row in rows]), encoding="utf-8")
    told: dict[str, Any] = {}
    if point.who == "ours":
        changes = {**point.changes, "seed": point.seed, "report": "false"}
        options = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
        done = child(
            "-m", "tuning", "--home", str(folder / "home"), "train", "-m", model, "-d", str(data), "-r", recipe, *options, "--json"
        )
        run = Store(folder / "home").find(done["run"], LOCAL)
        adapter = str(run.adapter)
        told["curve"] = [(one["step"], one["eval_loss"]) for one in run.metrics() if "eval_loss" in one]
        told["steps"], told["rate"] = done["step"], float(run.spec().settings.learning_rate)
    elif point.who == "base":
        adapter = ""
    else:
        adapter, passes = str(folder / "plain"), PLAIN_PASSES[point.task.split("-")[0]]
        job = {"model": model, "rows": rows, "folder": adapter, "epochs": passes, "batch": BATCH, "seed": point.seed, "rate": point.rate}
        alone("train", folder, {**job, "answers": point.who == "trl answers", "template": PLAIN_TEMPLATE})
    told["seconds"] = spent() - began
    probe = [yaml.safe_load((settings.PRESETS / "probe" / f"{lang}.yaml").read_text("utf-8"))["items"] for lang in ("en", "it")]
    plain = [row["text"] for rows in probe for row in rows]
    began = spent()
    judged = alone("judge", folder, {"model": model, "adapter": adapter, "asked": asked, "plain": plain, "template": PLAIN_TEMPLATE})
    return {**told, **judged, "judging": spent() - began}


Found = dict[str, dict[str, Any]]  # what is known of each point, by its key


def read(path: pathlib.Path) -> tuple[Found, list[Point]]:
    known: Found = {}
    points = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        entry = json.loads(line)
        points.append(Point(**entry["point"]))
        known[points[-1].key] = entry["found"]
    return known, points


def best(points: list[Point], known: Found) -> Point | None:
    """That with the lowest loss, of those that are there."""
    return min((point for point in points if point.key in known), key=lambda point: known[point.key]["loss"], default=None)


def stage(number: int, model: str, name: str, known: Found) -> Iterator[Point]:
    """What is to be made for one task, each stage after what the one before has shown."""
    recipe, plain = Point(model, name, SEEDS[0]), Point(model, name, SEEDS[0], "trl")
    usual = known.get(recipe.key, {}).get("rate", 0.0)
    rates = [replace(recipe, changes={"learning_rate": round(usual * factor, 6)}) for factor in RATES]
    others = [replace(plain, rate=rate) for rate in PLAIN_RATES]
    at_best = best([recipe, *rates], known) or recipe
    later = [replace(recipe, changes={**at_best.changes, **changes}) for changes in other_than(name)]
    best_plain = best([plain, *others], known) or plain
    chosen = (recipe, best([recipe, *rates, *later], known) or recipe, best_plain)
    stages: tuple[list[Point], ...] = (
        [replace(recipe, who="base"), recipe],
        rates[:2],
        rates[2:3] if at_best == rates[0] else rates[3:] if at_best == rates[1] else [],
        later[:2],
        [plain, others[0]],
        later[2:],
        [replace(one, seed=seed) for one in chosen for seed in SEEDS[1:]],
        [
            *rates,
            *others,
            *(replace(best_plain, who="trl answers", seed=seed) for seed in SEEDS),
            *(replace(plain, seed=seed) for seed in SEEDS[1:]),
        ],
    )
    yield from stages[number]


def other_than(name: str) -> list[dict[str, Any]]:
    """What is tried beside the rate: all of LATER and other passes, but for what the recipe says itself, and general rows where a style
    is asked for by them."""
    recipe, passes = PASSES[name.split("-")[0]]
    said = yaml.safe_load((settings.PRESETS / "recipes" / f"{recipe}.yaml").read_text(encoding="utf-8"))["settings"]
    said |= {"general_share": LATER[0]["general_share"]} if name.startswith("style") else {}
    return [change for change in ({"num_train_epochs": passes}, *LATER) if any(said.get(key) != value for key, value in change.items())]


def table(known: Found, points: list[Point]) -> None:
    """One line for each model, task and setting: means over the seeds, and the spread of the loss."""
    rows: dict[tuple[str, str, str], list[dict[str, Any]]] = collections.defaultdict(list)
    for point in points:
        rows[point.model, point.task, point.name].append(known[point.key])
    wide = max((len(setting) for _, _, setting in rows), default=0)
    print(f"{'model':<22} {'task':<9} {'setting':<{wide}} seeds  loss (spread)   right  ended  plain  processor s")
    for (model, name, setting), found in sorted(rows.items(), key=lambda row: (row[0][:2], statistics.mean(one["loss"] for one in row[1]))):
        losses = [one["loss"] for one in found]
        means = {key: statistics.mean(one[key] for one in found) for key in ("right", "stopped", "plain", "seconds")}
        words = f"{model:<22} {name:<9} {setting:<{wide}} {len(found):5}  {statistics.mean(losses):.3f} ({max(losses) - min(losses):.3f})"
        print(f"{words}  {means['right']:5.0%}  {means['stopped']:5.0%}  {means['plain']:.2f}  {means['seconds']:7.0f}")
    for model, name in sorted({(point.model, point.task) for point in points}):
        ratio(model, name, known)


def ratio(model: str, name: str, known: Found) -> None:
    """The share of TRL's processor time after which ours had lost as much of the base's loss as TRL's defaults, by its own curve."""
    base, ours, plain = (known.get(Point(model, name, SEEDS[0], who).key) for who in ("base", "ours", "trl"))
    if base and ours and plain:
        (_, begun), *curve = ours["curve"]  # of the rows that the run held out
        step = next((step for step, loss in curve if loss / begun <= plain["loss"] / base["loss"]), None)
        share = step / ours["steps"] * ours["seconds"] / plain["seconds"] if step is not None else None
        print(f"{model} {name}: ours reaches what TRL's defaults end with in {f'{share:.2f}' if share is not None else 'no'} of their time")


def main() -> None:
    path, hours = pathlib.Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 8.0
    folder = pathlib.Path(os.environ.get("TEST_REAL_MODELS", ""))
    models = sorted(entry.name for entry in folder.iterdir() if (entry / "config.json").exists()) if hours else []
    for model, number, name in itertools.product(reversed(models), range(STAGES), TASKS):
        known, points = read(path)
        for point in stage(number, model, name, known):
            used = sum(known[one.key]["seconds"] + known[one.key]["judging"] for one in points if one.model == model)
            if point.key in known or used > hours * 3600:
                continue
            with tempfile.TemporaryDirectory() as place:
                found = made(point, pathlib.Path(place))
            print(f"{point.model} {point.task} seed {point.seed} {point.name}: {found}", flush=True)
            known[point.key] = found
            points.append(point)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"point": vars(point), "found": found}) + "\n")
    table(*read(path))


if __name__ == "__main__":
    main()
