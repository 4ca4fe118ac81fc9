"""Check before the first step that a step fits into memory, and find ``--batch auto``."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from srgan_cli.engine.devices.memory import free_memory
from srgan_cli.engine.training.patches import Batch
from srgan_cli.engine.training.schedule import Phase, PhaseName
from srgan_cli.engine.training.trainer import Trainer
from srgan_cli.errors import ResourceError

LARGEST_BATCH = 64
"""The most that ``--batch auto`` chooses: published trainers use 16 to 64 patches per step."""

_SHARE = 0.8
"""Share of free memory that a step may use; the rest is for what the estimate misses."""
_WORKSPACE = 1.5
"""Memory of a step divided by that of its autograd graph: gradients and workspace come on top.
Measured by benchmarks/step_memory.py."""


PROBE = -1
"""Number of a step that is made to be measured: no run has it."""


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """How many patches one process can take in a step."""

    patches: int
    """At most :data:`LARGEST_BATCH`; 0 if not even one fits."""
    reason: str
    """How that was found out."""


def find_memory_budget(
    make_trainer: Callable[[], Trainer],
    phases: Sequence[PhaseName],
    *,
    wanted: int = LARGEST_BATCH,
    num_local: int = 1,
) -> MemoryBudget:
    """Find out how many patches of a step fit.

    On CUDA by trying, from ``wanted`` down by halves; elsewhere from the memory that the
    graph of a single patch holds on to, and what the system says is free.

    Args:
        make_trainer: Makes networks that can be thrown away.
        phases: Phases of the run.
        wanted: Most patches to look for.
        num_local: Processes that share this machine's memory.
    """
    trainer = make_trainer()
    if trainer.amp.device.type == "cuda":
        return _tried(trainer, phases, wanted)
    free = free_memory()
    if free is None:
        return MemoryBudget(wanted, "this system does not report its free memory")
    fixed, patch = step_memory(trainer, phases)
    parts = trainer.config.accumulate
    patches = parts * max(0, int((_SHARE * free / num_local - fixed) / patch))
    need = fixed + patch * -(-wanted // parts)
    reason = f"{wanted} patches need about {_gib(need)} of {_gib(free / num_local)} free"
    return MemoryBudget(min(wanted, patches), reason)


def require_memory(budget: MemoryBudget, wanted: int) -> None:
    """Refuse a batch that does not fit.

    Raises:
        ResourceError: It does not.
    """
    if budget.patches < wanted:
        fits = f"pass --batch auto, or --batch {budget.patches} or less for each process"
        raise ResourceError(
            f"a step does not fit into memory: {budget.reason}",
            hint=fits
            if budget.patches
            else "pass a smaller --patch, --preset or --discriminator-width",
        )


def step_memory(trainer: Trainer, phases: Sequence[PhaseName]) -> tuple[float, float]:
    """Estimate the memory of a step, in bytes: what any step needs, and what a patch adds.

    The graph's own bookkeeping is watched while a step of one patch is made; what it holds
    on to grows with the number of patches. Gradients and moments do not.
    """
    fixed = 3 * sum(
        parameter.numel() * parameter.element_size()
        for network in (trainer.generator, trainer.discriminator)
        for parameter in network.parameters()
    )
    held = _Held()
    with torch.autograd.graph.saved_tensors_hooks(held.take, held.give):
        _steps(trainer, phases, 1)
    return fixed, _WORKSPACE * held.peak


def _tried(trainer: Trainer, phases: Sequence[PhaseName], wanted: int) -> MemoryBudget:
    while wanted:
        try:
            _steps(trainer, phases, wanted)
        except torch.OutOfMemoryError:
            wanted //= 2
            torch.cuda.empty_cache()
        else:
            return MemoryBudget(wanted, f"{wanted} patches, tried on {trainer.amp.device}")
    return MemoryBudget(0, f"not even one patch fits on {trainer.amp.device}")


def _steps(trainer: Trainer, phases: Sequence[PhaseName], patches: int) -> None:
    """Make a step of each phase on grey images."""
    for name in phases:
        probe(trainer, name, grey(trainer, patches))


def probe(trainer: Trainer, name: PhaseName, batch: Batch) -> None:
    """Make a step that is none of the run's, with a learning rate of 0."""
    trainer.step(Phase(name, 0, 1, 1e-9, 1), PROBE, batch)


def grey(trainer: Trainer, patches: int) -> Batch:
    """Return grey patches."""
    side, scale = trainer.config.patch, trainer.generator.scale
    lr, hr = (torch.full((patches, n, n, 3), 128, dtype=torch.uint8) for n in (side, side * scale))
    return Batch(lr, hr)


class _Held:
    """Counts the bytes that autograd's graphs hold on to, each storage once."""

    def __init__(self) -> None:
        self.peak, self._now = 0, 0
        self._users: Counter[int] = Counter()

    def take(self, tensor: Tensor) -> "_Saved":
        return _Saved(tensor, self)

    def give(self, saved: "_Saved") -> Tensor:
        return saved.tensor

    def count(self, tensor: Tensor, change: int) -> None:
        storage = tensor.untyped_storage()
        key = storage.data_ptr()
        before = self._users[key]
        self._users[key] += change
        if not before or not self._users[key]:
            self._now += change * storage.nbytes()
            self.peak = max(self.peak, self._now)


class _Saved:
    """A tensor in a graph; it ends with the graph."""

    def __init__(self, tensor: Tensor, held: _Held) -> None:
        self.tensor, self._held = tensor, held
        self._counts = not tensor.is_leaf or not tensor.requires_grad  # Parameters are not copies.
        if self._counts:
            held.count(tensor, 1)

    def __del__(self) -> None:
        if self._counts:
            self._held.count(self.tensor, -1)


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"
