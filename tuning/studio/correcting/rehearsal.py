"""How a run learns corrected answers without losing the others: the settings of a run that goes on with them (rehearsal).

Pure arithmetic. Rows that were learned before are learned again beside the corrected ones (experience replay, Robins 1995,
"Catastrophic Forgetting, Rehearsal and Pseudorehearsal"). The figures were measured on the starter: `tests.bench.corrections`.
"""

from typing import Any

from tuning.schema import CorrectedRows, TrainSettings

OLD = 20  # rows of the old ones for each that was corrected
LEAST, MOST = 200, 5000  # of the old ones
PASSES = 15
RATE = 0.2  # of the run's own


def settings(corrected: CorrectedRows, before: TrainSettings) -> dict[str, Any]:
    """What a run that learns these first rows of its data sets over the settings of the run `before` it."""
    return {
        "max_samples": corrected.count + min(MOST, max(LEAST, OLD * corrected.count)),
        "num_train_epochs": PASSES,
        "max_steps": -1,
        "learning_rate": RATE * float(before.learning_rate),
        "validation_share": 0.0,  # none of the corrected ones: what is held out lies in a file of its own
        "early_stopping_patience": 0,
        "report": True,  # it says whether they hold
    }
