"""Two processes that share a batch compute what one does with all of it."""

import os
import subprocess
import sys

import pytest
import torch

from srgan_cli.engine.devices.ranks import Ranks
from srgan_cli.errors import UsageError

STEPS = """
import os
import sys
from dataclasses import replace
import numpy as np
import torch
from srgan_cli.config import DenseConfig, TrainConfig
from srgan_cli.engine.training.patches import Batch
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.networks.vgg import load_perceptual
from srgan_cli.engine.devices.ranks import joined_ranks
from srgan_cli.engine.training.schedule import Phase
from srgan_cli.engine.training.trainer import Trainer
from srgan_cli.observer import SilentObserver

torch.set_num_threads(1)
config = TrainConfig(batch=4, patch=16, discriminator_width=4, seed=5)
network = DenseConfig(
    scale=2, channels=8, growth=4, num_blocks=1, dense_blocks=1, num_convs=3,
    residual_scale=0.2, upsampler="pixelshuffle",
)
random = torch.Generator().manual_seed(1)
with joined_ranks(torch.device("cpu")) as ranks:
    amp = Amp.create(torch.device("cpu"), sys.argv[1])
    trainer = Trainer(config, network, amp, load_perceptual("vgg16", SilentObserver()), ranks)
    phases = [Phase("pretrain", 0, 3, 1e-3, 1), Phase("adversarial", 3, 3, 1e-3, 1)]
    for step in range(6):
        images = (
            torch.randint(0, 256, (4, side, side, 3), dtype=torch.uint8, generator=random)
            for side in (16, 32)
        )
        phase = phases[step // 3]
        if step == phase.start:
            trainer.begin(phase)
        share = ranks.share(4)
        judged = np.array([0, 0, 2.0, 2.0])[share] if step % 2 else None
        batch = Batch(*(side[share] for side in images), judged)
        terms = trainer.step(phase, step, batch)
        values = ranks.mean(torch.stack([value.float() for value in terms.values()]))
        if ranks.leads:
            print(*values.tolist())
    assert ranks.agreed(ranks.rank) == 0
    assert ranks.any(ranks.rank == ranks.size - 1) and not ranks.any(False)
sys.stdout.flush()
os._exit(0)  # PyTorch's own threads now and then abort at exit; what counts is done.
"""


def trace(script, precision, *launcher):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *launcher, script, precision],
        capture_output=True, text=True, env=environment, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [torch.tensor([float(n) for n in line.split()]) for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 2e-4), ("fp16", 2e-2)])
def test_two_processes_follow_the_loss_trace_of_one(tmp_path, precision, tolerance):
    script = tmp_path / "steps.py"
    script.write_text(STEPS)
    alone = trace(script, precision)
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    together = trace(script, precision, *launcher)
    assert len(together) == len(alone) == 6
    for ours, theirs in zip(together, alone, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def test_a_batch_that_cannot_be_shared_out_evenly_is_refused():
    assert [Ranks(rank, 3).share(6) for rank in range(3)] == [
        slice(0, 2), slice(2, 4), slice(4, 6),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="--batch 7 cannot be divided among 3"):
        Ranks(0, 3).share(7)
