"""Build the parts of a run (data, networks, losses, trainer) from its options, and check them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from srgan_cli.config import TrainConfig
from srgan_cli.data.manifest import find_dataset
from srgan_cli.data.store import Store
from srgan_cli.engine.devices.amp import Amp
from srgan_cli.engine.devices.ranks import Ranks
from srgan_cli.engine.networks.base import num_parameters
from srgan_cli.engine.networks.vgg import load_perceptual
from srgan_cli.engine.training.forecast import Costs
from srgan_cli.engine.training.measure import larger_batch, measure
from srgan_cli.engine.training.patches import BatchesAhead, PatchSampler
from srgan_cli.engine.training.plan import OPEN_END, Deadline, TrainPlan, planned
from srgan_cli.engine.training.preflight import (
    LARGEST_BATCH,
    MemoryBudget,
    find_memory_budget,
    require_memory,
)
from srgan_cli.engine.training.resident import ResidentPatches
from srgan_cli.engine.training.schedule import Phase, plan_phases
from srgan_cli.engine.training.teacher import TeacherCache, ask_teacher
from srgan_cli.engine.training.trainer import Trainer
from srgan_cli.engine.training.validation import Validator
from srgan_cli.engine.training.warmstart import Given, adopted
from srgan_cli.observer import Observer
from srgan_cli.processes import Node, num_cores

_RESIDENT_SHARE = 0.1
"""Most of a GPU's free memory that photographs may take: less than a checked batch leaves free."""


@dataclass(frozen=True)
class RunParts:
    """What a run is made of."""

    config: TrainConfig
    """The options, with the data set and the batch that were found."""
    fingerprint: str
    """Of the data set."""
    teacher: TeacherCache | None
    sampler: PatchSampler
    batches: BatchesAhead | ResidentPatches
    validator: Validator
    phases: list[Phase]
    trainer: Trainer
    plan: TrainPlan | None
    """Of a new run; None for one that goes on."""
    costs: Costs
    """What its parts take, as far as that was measured."""
    deadline: Deadline | None = None
    """Of a new run that is to take a given time."""

    def __str__(self) -> str:
        """Say in one line what is trained, on what, and for how long."""
        trainer, ranks = self.trainer, self.trainer.ranks
        amp, processes = trainer.amp, f" in {ranks.size} processes" if ranks.size > 1 else ""
        phases = ", ".join(f"{phase.name} {phase.steps:,}" for phase in self.phases)
        return (
            f"{self.config.preset} generator ({num_parameters(trainer.generator):,} parameters), "
            f"{amp.precision} on {amp.device}{processes}, "
            f"{self.steps:,} steps of {self.config.batch}: {phases}"
        )

    @property
    def steps(self) -> int:
        """Length of the run."""
        return self.phases[-1].stop


def assemble(
    config: TrainConfig,
    amp: Amp,
    ranks: Ranks,
    observer: Observer,
    *,
    is_new: bool = True,
    given: Given = None,
    started: float | None = None,
    dry_run: bool = False,
) -> RunParts:
    """Open the data set, make the networks, see that a step fits into memory, and plan the run.

    Args:
        config: The options.
        amp: Device and precision.
        ranks: The processes that train together.
        observer: Is told what was found.
        is_new: False for a run that goes on: it has its sizes and its length.
        given: As :func:`adopted` has it.
        started: When the command started, by :func:`time.perf_counter`; now when None.
        dry_run: Whether the parts are to be looked at only: no teacher is asked.

    Raises:
        InputError: No data set, or one that does not suit the options.
        UsageError: The batch cannot be shared out, or the time is too short.
        WeightsError: The network of the perceptual loss, or the teacher, cannot be used.
        ResourceError: A step does not fit into memory.
    """
    started = time.perf_counter() if started is None else started
    data, reason = find_dataset(config.data)
    store = Store(data, config.scale)
    if is_new:  # A run that goes on has its sizes; the weights that it began with may be gone.
        config = adopted(config, store.scale, given, observer)
    config = config.resolved(data, store.scale)
    manifest = store.manifest
    observer.say(
        f"data set: {manifest.name} ({reason}), ×{store.scale}, {len(manifest.images)} images"
    )
    # Patches that do not fit the images are found before patches that do not fit the memory.
    assumed = replace(config, batch=config.batch or ranks.size)
    if config.seconds is not None:
        assumed = replace(assumed, steps=OPEN_END, minutes=None, hours=None)
    phases = plan_phases(assumed, _sampler(assumed, store, ranks).steps)
    features = None
    if any(phase.perceptual for phase in phases):
        features = load_perceptual(config.perceptual, observer, config.perceptual_layers)

    def make_trainer(together: Ranks) -> Trainer:
        return Trainer(config, config.generator_config(store.scale), amp, features, together)

    config = _with_batch(config, lambda: make_trainer(Ranks()), phases, ranks, observer)
    teacher = None if dry_run else ask_teacher(config, store, amp, ranks, observer)
    sampler = _sampler(config, store, ranks, teacher)
    batches, validator = _batches(config, sampler, amp.device), Validator(store, features, ranks)
    plan, costs, deadline = None, Costs.unknown(phases), None
    if is_new:
        if not config.seconds:  # With --batch auto, only now are the steps of an epoch known.
            phases = plan_phases(config, sampler.steps)
        trial = make_trainer(ranks)
        measured = measure(trial, batches, validator, phases, ranks, seconds=config.seconds)
        _propose_batch(lambda: make_trainer(Ranks()), phases, config, amp, ranks, observer)
        size = sum(weight.nbytes for weight in trial.ema.state_dict().values())
        if config.seconds is not None:
            deadline = Deadline(started + config.seconds, config.seconds)
        spent = ranks.agreed(time.perf_counter() - started)
        config, plan = planned(config, measured, sampler.steps, size, spent)
        costs = measured.costs
        del trial
    return RunParts(
        config,
        manifest.fingerprint,
        teacher,
        sampler,
        batches,
        validator,
        plan_phases(config, sampler.steps),
        make_trainer(ranks),
        plan,
        costs,
        deadline,
    )


def _propose_batch(
    make_trainer: Callable[[], Trainer],
    phases: Sequence[Phase],
    config: TrainConfig,
    amp: Amp,
    ranks: Ranks,
    observer: Observer,
) -> None:
    """Say which larger batch a GPU would take in little more time, if there is one."""
    if not ranks.leads or amp.device.type != "cuda":
        return
    patches = -(-config.batch // ranks.size)
    larger = larger_batch(make_trainer(), phases[-1], patches, LARGEST_BATCH)
    if larger is not None:
        observer.say(
            f"{amp.device} idles with {config.batch} patches per step: "
            f"--batch {larger * ranks.size} fits, and trains on more patches per second"
        )


def _sampler(
    config: TrainConfig, store: Store, ranks: Ranks, teacher: TeacherCache | None = None
) -> PatchSampler:
    return PatchSampler(
        store,
        "train",
        patch=config.patch,
        batch=config.batch,
        seed=config.seed,
        degrade=config.degrade,
        degrade_share=config.degrade_share,
        judge=config.judge,
        taught=teacher,
        detail=config.detail,
        share=ranks.share(config.batch),
    )


def _batches(
    config: TrainConfig, sampler: PatchSampler, device: torch.device
) -> BatchesAhead | ResidentPatches:
    """Choose who cuts the patches: a GPU with room for the photographs, else other threads."""
    on_cuda = device.type == "cuda"
    if on_cuda and sampler.as_prepared and config.detail == 1:
        free, _ = torch.cuda.mem_get_info(device)
        if ResidentPatches.num_bytes(sampler) < free * _RESIDENT_SHARE:
            return ResidentPatches(sampler, device)
    # Cutting patches takes one thread a fraction of a step; damaging them takes longer.
    return BatchesAhead(sampler, 1 if config.degrade == "none" else num_cores(), pinned=on_cuda)


def _with_batch(
    config: TrainConfig,
    make_trainer: Callable[[], Trainer],
    phases: Sequence[Phase],
    ranks: Ranks,
    observer: Observer,
) -> TrainConfig:
    """See that the batch fits into the memory of every process; find one if that is asked for."""
    share = ranks.share(config.batch)
    wanted = share.stop - share.start or LARGEST_BATCH // ranks.size
    budget = find_memory_budget(
        make_trainer,
        [phase.name for phase in phases],
        wanted=wanted,
        num_local=Node.from_environment().num_local,
    )
    least: MemoryBudget = min(ranks.gather(budget), key=lambda budget: budget.patches)
    require_memory(least, wanted if config.batch else 1)
    if config.batch:
        return config
    batch = least.patches * ranks.size
    observer.say(f"--batch auto: {batch} patches per step ({least.reason})")
    return replace(config, batch=batch)
