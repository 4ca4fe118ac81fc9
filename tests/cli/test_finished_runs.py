"""What to do with a run that is finished."""

import pytest

from tests.toolbox import TINY, assert_fails

pytestmark = pytest.mark.usefixtures("used_home")


def test_a_name_of_a_finished_run_is_answered_with_how_to_train_it_further(srgan):
    result = srgan("train", "--name", "tiny", *TINY)
    assert_fails(result, 2, "run tiny exists already", "finished", "srgan train --init tiny")
    assert "--resume" not in result.err


def test_resuming_a_finished_run_says_that_it_is_finished_and_how_to_go_on(srgan):
    result = srgan("train", "--resume", "tiny")
    assert result.code == 0
    assert "run tiny is finished: all its 6 steps are made" in result.err
    assert "srgan train --init tiny" in result.err
