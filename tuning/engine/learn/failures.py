"""How a run ends that does not come to its end: the reason and the sentence for an error, and the status that follows.

It judges and writes nothing; `train` does.
"""

import errno
import re

from tuning.engine.device import ran_out
from tuning.errors import EngineError, InputError, TuningError, cause, of_tokenizer
from tuning.schema import Notice, Status

ENDS: dict[str, Status] = {"disk": "paused", "memory": "paused", "process": "interrupted"}  # by reason; of all others a run has failed
# How torch and safetensors say that the disk took no more: they keep no errno.
DISK_FULL = re.compile(r"iostream error|PytorchStreamWriter|unexpected pos|os error (27|28|122)\b|No space left|File too large")


def explain(error: BaseException) -> tuple[str | None, Notice]:
    """The reason in the contract's words, and the sentence's code; with it what lies behind."""
    behind = {"cause": why} if (why := cause(error)) else {}
    error = of_tokenizer(error) or error
    if isinstance(error, TuningError):
        of_data = isinstance(error, InputError) and not error.code.startswith("model.")
        reason = error.reason if isinstance(error, EngineError) else "data" if of_data else None
        return reason, Notice(code=error.code, level="error", params={**behind, **error.params})
    if ran_out(error):
        return "memory", Notice(code="train.memory", level="error", params=behind)
    if (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)) or DISK_FULL.search(str(error)):
        return "disk", Notice(code="train.disk", level="error", params=behind)
    reason = "cuda" if "CUDA error" in str(error) else None
    return reason, Notice(code="train.unexpected", level="error", params={"kind": type(error).__name__, **behind})
