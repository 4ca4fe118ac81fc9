"""Estimate and measure the memory of a step: python benchmarks/step_memory.py PRESET PATCH BATCH.

Real is the growth of the process's peak over its size before the step, on a CPU.
"""

import argparse
import json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset")
    parser.add_argument("patch", type=int, help="LR pixels of its side")
    parser.add_argument("batch", type=int)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    options = parser.parse_args()

    import torch

    from srgan_cli.config import TrainConfig
    from srgan_cli.engine.devices.amp import Amp
    from srgan_cli.engine.devices.memory import peak_memory
    from srgan_cli.engine.networks.vgg import load_perceptual
    from srgan_cli.engine.training.preflight import _steps, step_memory
    from srgan_cli.engine.training.trainer import Trainer
    from srgan_cli.observer import SilentObserver

    config = TrainConfig(preset=options.preset, patch=options.patch, precision=options.precision)
    amp = Amp.create(torch.device("cpu"), config.precision)
    features = load_perceptual("vgg16", SilentObserver())
    trainer = Trainer(config, config.generator_config(2), amp, features)
    before = peak_memory()
    fixed, patch = step_memory(trainer, ["pretrain", "adversarial"])
    _steps(trainer, ["pretrain", "adversarial"], options.batch)
    result = {
        "preset": options.preset,
        "patch": options.patch,
        "batch": options.batch,
        "precision": options.precision,
        "estimated_mib": round((fixed + options.batch * patch) / 2**20),
        "real_mib": round((peak_memory() - before) / 2**20),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
