"""An observer that remembers."""

import pytest

from tests.toolbox import Recorder


@pytest.fixture
def observer() -> Recorder:
    """Return an observer that remembers."""
    return Recorder()
