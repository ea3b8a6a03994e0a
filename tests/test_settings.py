"""What the environment is told before the libraries are loaded."""

import sys

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


GROWS = {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}


@pytest.mark.skipif(sys.platform != "linux", reason="the option is there on Linux alone")
@pytest.mark.parametrize(
    ("given", "then"),
    [
        ({}, GROWS),
        ({"PYTORCH_ALLOC_CONF": "max_split_size_mb:64"}, {"PYTORCH_ALLOC_CONF": "max_split_size_mb:64"}),
        ({"PYTORCH_CUDA_ALLOC_CONF": "backend:native"}, {"PYTORCH_CUDA_ALLOC_CONF": "backend:native"}),
    ],
)
def test_the_allocator_is_configured_by_its_name_of_today_unless_somebody_said_it(given: dict[str, str], then: dict[str, str]) -> None:
    settings.spare_card(given)
    assert given == then
