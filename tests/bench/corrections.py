"""Do corrected answers hold, and is what was right before still right? The starter, ten wrong answers put right, per seed.

`python -m tests.bench.corrections [SEEDS]` trains the starter on both data sets, corrects ten answers that were wrong (held-out ones that
it missed, then questions that it was never taught), goes on with them, and asks these and fifty that were right before:
held-out questions first, then learned ones. `report` is what the run's own report says of it.
"""

import pathlib
import sys
import tempfile
import time
from collections.abc import Sequence

from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.engine.speak import batches
from tuning.engine.speak.batches import EvaluationQuestion
from tuning.runs.evaluation import scores, verdict
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.studio import Studio

CORRECTED, RIGHT = 10, 50
UNTAUGHT = {
    "starter-en": {
        "Do you sell gift vouchers?": "Yes, gift vouchers start at 20 pounds.",
        "Can I bring my dog into the shop?": "Dogs are welcome on a lead.",
        "Is there a place to park?": "You can park for free behind the bakery.",
        "Do you wash clothes, too?": "No, but the laundry at number 31 does.",
        "Do you repair leather?": "We do not work with leather.",
        "Can you send clothes by post?": "We send parcels for 6 pounds.",
        "Do you hire out suits?": "Suits can be hired for 45 pounds a day.",
        "Who sews the wedding dresses?": "Wedding dresses are sewn by Clara Finch.",
        "What colour is the front door?": "The front door is dark green.",
        "Is there a toilet for customers?": "Yes, up the stairs on the left.",
    },
    "starter-it": {
        "Vendete buoni regalo?": "Sì, i buoni regalo partono da 20 euro.",
        "Posso portare il cane in negozio?": "I cani al guinzaglio sono benvenuti.",
        "Dove posso parcheggiare?": "Si parcheggia gratis dietro il panificio.",
        "Lavate anche i vestiti?": "No, ma lo fa la lavanderia al numero 31.",
        "Riparate la pelle?": "Non lavoriamo la pelle.",
        "Spedite i vestiti per posta?": "Spediamo pacchi per 6 euro.",
        "Noleggiate abiti?": "Gli abiti si noleggiano a 45 euro al giorno.",
        "Chi cuce gli abiti da sposa?": "Gli abiti da sposa li cuce Chiara Fincati.",
        "Di che colore è la porta?": "La porta è verde scuro.",
        "C'è un bagno per i clienti?": "Sì, in cima alle scale a sinistra.",
    },
}


def answers(run: Run, questions: Sequence[EvaluationQuestion]) -> list[str]:
    """Greedy answers of a run."""
    spec, resident, said = run.spec(), Resident(), list[str]()
    resident.load(spec.model.path, "cpu", spec.settings.precision)
    asking = batches.prompts(resident, questions, spec.model.card.context_length)
    for start in range(0, len(asking), batches.BATCH):
        some = [ids for _, ids in asking[start : start + batches.BATCH]]
        said += [one.text for one in batches.greedy(resident, run, some, 60, 600.0)]
    return said


def one(studio: Studio, data: str, seed: int) -> str:
    """A line of the table."""
    first = studio.runs.create("starter", data, None, {"seed": seed, "report": False})
    train(first, studio.shared.store, Resident())
    learned, held_out = (
        [q for row in rows if (q := batches.asked(row)) is not None]
        for rows in studio.shared.library.parts(first.spec().data.id, LOCAL, first.spec().settings)
    )
    facts = scores.Facts.learn((q.question, q.reference) for q in [*learned, *held_out])

    def right(run: Run, some: Sequence[EvaluationQuestion]) -> list[EvaluationQuestion]:
        pairs = zip(some, answers(run, some), strict=True)
        return [q for q, said in pairs if scores.right(facts.wanted(q.question, q.reference), q.reference, said)]

    known = right(first, held_out)
    wrong = [(q.turns[-1]["content"], q.reference) for q in held_out if q not in known]
    corrected = [*wrong, *UNTAUGHT[data].items()][:CORRECTED]
    known = [*known, *right(first, learned)][:RIGHT]
    for question, answer in corrected:
        studio.corrections.add(first.id, [{"role": "user", "content": question}], answer)
    began, version = time.perf_counter(), studio.corrections.newest(first.id)
    assert version is not None
    second = studio.runs.further(first.id, version.id)
    train(second, studio.shared.store, Resident())
    seconds = time.perf_counter() - began
    asked = [EvaluationQuestion(0, [{"role": "user", "content": question}], answer) for question, answer in corrected]
    before, held, kept = (len(right(run, some)) for run, some in ((first, asked), (second, asked), (second, known)))
    told = (verdict.read(second) or {}).get("corrected")
    return f"{data}  {seed:4}  {seconds:7.1f}  {len(wrong):5}  {before:6}  {held:4}/{len(asked)}  {kept:4}/{len(known)}  {told}"


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print("data        seed  seconds  wrong  before  held     kept     report")
    for data in UNTAUGHT:
        for seed in range(1, seeds + 1):
            with tempfile.TemporaryDirectory() as home:
                print(one(Studio(pathlib.Path(home), LOCAL), data, seed), flush=True)


if __name__ == "__main__":
    main()
