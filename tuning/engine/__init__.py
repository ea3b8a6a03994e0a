"""The GPU: the only part, with export, that imports torch, transformers, peft and trl."""

import logging
import warnings

from tuning import settings

settings.share_processor()
settings.spare_card()
# It announces on every import that it could not download kernels, which it must not.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
# peft and trl still use names that transformers has renamed; that is between them.
warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
