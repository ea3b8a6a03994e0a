"""The model and the one thread that touches it: training, answers and reports. With export the only part that imports torch, peft and trl.

What is decided before a run (`forecast`), and rows as tokens (`tokens`, which imports transformers too), come in ready.
"""

import logging
import sys
import warnings

from tuning import settings
from tuning.machine import hardware
from tuning.runs import locks

settings.keep_silent()
settings.share_processor()
settings.spare_memory()
settings.spare_card()
settings.number_cards()
locks.name_cards(hardware.uuid_of)
# What downloads kernels from the Hub: where somebody has installed it, bitsandbytes and transformers would run what it fetches.
sys.modules["kernels"] = None  # type: ignore[assignment]
# It announces on every import that it could not download kernels, which it must not.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
# peft and trl still use names that transformers has renamed; that is between them.
warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
