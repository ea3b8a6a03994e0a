"""A run as the contract shows it: in short for lists, in full for its result. Reads the folder, decides nothing."""

import math
from typing import Any

from tuning.runs.store import Run
from tuning.schema import ENDED


def brief(run: Run) -> dict[str, Any]:
    """A run in one line of a list: who, what, and how far."""
    spec, state = run.spec(), run.state()
    return {
        "run": run.id,
        "name": run.name(),
        "status": state.status,
        "reason": state.reason,
        "model": spec.model.id,
        "model_title": spec.model.card.title,
        "data": spec.data.name,
        "recipe": spec.recipe,
        "created": spec.created,
        "ended": state.ended if state.status in ENDED else None,
        "step": state.step,
        "total_steps": state.total_steps or spec.forecast.steps,
        "has_adapter": run.adapter.is_dir(),
    }


def result(run: Run) -> dict[str, Any]:
    """How a run stands or ended, in the contract's names."""
    spec, state = run.spec(), run.state()
    return {
        **brief(run),
        "adapter": str(run.adapter) if run.adapter.is_dir() else None,
        "steps": state.step,
        "train_loss": state.train_loss,
        "eval_loss": state.eval_loss,
        "base_eval_loss": state.base_eval_loss,
        "best_step": state.best_step,
        "perplexity": perplexity(state.eval_loss),
        "base_perplexity": perplexity(state.base_eval_loss),
        "learned_tokens": state.learned_tokens,
        "tokens_per_second": state.tokens_per_second,
        "seconds": state.seconds,
        "predicted_peak_bytes": spec.forecast.peak_bytes,
        "peak_bytes": state.peak_bytes,
        "recoveries": [notice.model_dump() for notice in state.recoveries],
        "notices": [notice.model_dump() for notice in state.notices],
        "trainable_parameters": state.trainable_parameters,
        "total_parameters": state.total_parameters,
        "error": state.error.model_dump() if state.error else None,
    }


def perplexity(loss: float | None) -> float | None:
    """exp(loss), the loss in nats per token; None where there is none, infinity where it overflows."""
    if loss is None:
        return None
    try:
        return math.exp(loss)
    except OverflowError:
        return float("inf")
