"""What the environment is told before the libraries are loaded."""

import pytest

from tuning import settings


@pytest.mark.parametrize(
    ("given", "then"),
    [
        ({}, {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}),
        ({"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),  # GNU's library would heed our number before their word
    ],
)
def test_how_threads_wait_is_ours_unless_somebody_said_it(given: dict[str, str], then: dict[str, str]) -> None:
    settings.share_processor(given)
    assert given == then
