"""What the suite draws by lot: its samples of what the nightly form has in full, and its seeds.

One number stands for all of it. The processes of a run share it, so that they have the same tests; it is printed at the end,
and `TEST_LOT=number` draws the same again.
"""

import os
import random

NUMBER = os.environ.setdefault("TEST_LOT", str(random.SystemRandom().randrange(10**6)))


def lot(of: str) -> random.Random:
    """Dice for one thing that is drawn; nobody else's throws change theirs."""
    return random.Random(f"{NUMBER} {of}")
