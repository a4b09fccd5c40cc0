"""What each test of a consumer has: a client that tells what a library sees of our output, and who the judge was."""

from functools import partial

import pytest
from consumers import seen


@pytest.fixture
def see(tmp_path, record_property):
    """``see(client, module, format, dataset, **options)``: what that library sees of the dataset in that format."""
    return partial(seen.see, tmp_path, record_property)
