"""The bicubic rows of published tables, and BasicSR's figures."""

import pytest

from srgan_cli.engine.evaluation.contenders import upscale_baselines
from srgan_cli.engine.evaluation.protocol import Protocol
from srgan_cli.engine.evaluation.sets import folder_set

PUBLISHED = [
    ("Set5", 2, 33.66, 0.9299),
    ("Set5", 4, 28.42, 0.8104),
    ("Set14", 2, 30.24, 0.8688),
    ("Set14", 4, 26.00, 0.7027),
    pytest.param("B100", 2, 29.56, 0.8431, marks=pytest.mark.slow),
    pytest.param("B100", 4, 25.96, 0.6675, marks=pytest.mark.slow),
]
"""Bicubic on Y, border = scale: Kim et al. 2016 (VDSR), table 3, and every table since."""


@pytest.mark.parametrize(("name", "scale", "psnr", "ssim"), PUBLISHED)
def test_bicubic_scores_equal_the_published_table(shared_data, name, scale, psnr, ssim):
    protocol = Protocol(scale, "y", scale, "")
    images = folder_set(shared_data / "bench" / name, scale)
    scores = []
    for load in images.load.values():
        frame = load()
        scores.append(protocol.score(upscale_baselines(frame)["bicubic"], frame.hr))
    means = {key: sum(score[key] for score in scores) / len(scores) for key in ("psnr", "ssim")}
    assert means["psnr"] == pytest.approx(psnr, abs=0.02)
    assert means["ssim"] == pytest.approx(ssim, abs=0.0005)
