"""Throughput of one core of this processor in matrix products: floating-point operations per processor second, in 32 bits.

A child process counts a fifth of a second of products in one thread a core. It counts processor seconds, so that other work on the machine
changes nothing. It keeps nothing; how much of that speed a training reaches is said in `forecast.duration`.
"""

import logging
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tuning import settings
from tuning.schema import Record

logger = logging.getLogger(__name__)

SECONDS = 0.2
PATIENCE = 30.0  # on a machine that is very busy
WIDTH, TOKENS = 768, 512  # of a layer, about as models have them that a processor trains
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1")


class CoreSpeed(Record):
    """What was measured, and on which processor: a home may be carried to another machine."""

    cpu: str
    operations_per_second: float | None  # None: it could not be measured


def measure(cpu: str, cores: int) -> CoreSpeed:
    """Measure in a child process, with as many threads as there are `cores`."""
    env = {**settings.child_environment(), **ONE_THREAD}
    command = [sys.executable, "-m", "tuning.machine.speed", str(cores)]
    try:
        done = subprocess.run(command, cwd=settings.ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE, check=True)
        return CoreSpeed(cpu=cpu, operations_per_second=float(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        logger.warning("the speed of the processor could not be measured: %s", error)
        return CoreSpeed(cpu=cpu, operations_per_second=None)


def main() -> int:
    """Write the operations per processor second to stdout, with all cores at work as in a training: two of them may be one in truth."""
    import numpy

    rows, weights = numpy.full((TOKENS, WIDTH), 0.5, numpy.float32), numpy.full((WIDTH, 2 * WIDTH), 0.5, numpy.float32)
    cores = int(sys.argv[1])

    def work(seconds: float) -> int:
        started, products = time.thread_time(), 0
        while time.thread_time() - started < seconds:
            rows @ weights
            products += 1
        return products

    with ThreadPoolExecutor(cores) as threads:
        list(threads.map(work, [SECONDS / 10] * cores))  # the first ones warm up
        started = time.process_time()
        products = sum(threads.map(work, [SECONDS] * cores))
        spent = time.process_time() - started
    sys.stdout.write(str(2 * TOKENS * WIDTH * 2 * WIDTH * products / spent))
    return 0


if __name__ == "__main__":
    sys.exit(main())
