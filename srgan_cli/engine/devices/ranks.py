"""Distributed training: the processes that ``torchrun`` starts for one run.

Each process computes the gradients of its share of the batch. An all-reduce after ``backward``
averages them, so that every process takes the same step. ``DistributedDataParallel`` is not used,
because it does not support ``torch.autograd.grad`` through the wrapped network, which the gradient
penalty needs. The cost is that communication does not overlap with the backward pass.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from srgan_cli.engine.devices.amp import resolve_device
from srgan_cli.errors import ResourceError, UsageError
from srgan_cli.processes import Node


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those of its run; alone unless :func:`joined_ranks` says otherwise."""

    rank: int = 0
    """Its number, from 0."""
    size: int = 1
    """How many there are."""

    @property
    def leads(self) -> bool:
        """Whether this is the one process that writes and prints."""
        return self.rank == 0

    def share(self, batch: int) -> slice:
        """Return which places of a batch are this process's: as many as everyone else's.

        Raises:
            UsageError: The batch cannot be divided evenly.
        """
        if batch % self.size:
            raise UsageError(
                f"--batch {batch} cannot be divided among {self.size} processes",
                hint=f"pass a --batch that is a multiple of {self.size}",
            )
        size = batch // self.size
        return slice(self.rank * size, (self.rank + 1) * size)

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by their means over all processes, in one message.

        Not a number anywhere becomes not a number everywhere, so that all processes
        skip a step or none does.

        Raises:
            ResourceError: A process has ended.
        """
        if self.size == 1:
            return
        tensors = list(tensors)
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with _one_for_all():
            dist.all_reduce(flat)
        flat /= self.size
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view(tensor.shape))

    def mean(self, value: Tensor) -> Tensor:
        """Return the mean of a detached tensor over all processes.

        Raises:
            ResourceError: A process has ended.
        """
        if self.size == 1:
            return value
        averaged = value.detach().clone()
        self.average([averaged])
        return averaged

    def any(self, flag: bool) -> bool:
        """Say whether the flag is set in any process; all have to ask."""
        return any(self.gather(flag))

    def agreed(self, value: Any) -> Any:
        """Return what the leading process holds; all have to ask."""
        return self.gather(value)[0]

    def wait(self) -> None:
        """Return once every process has come here."""
        self.gather(None)

    def gather(self, value: Any) -> list[Any]:
        """Return what each process holds, in their order; all have to ask.

        Raises:
            ResourceError: A process has ended.
        """
        if self.size == 1:
            return [value]
        gathered: list[Any] = [None] * self.size
        with _one_for_all():
            dist.all_gather_object(gathered, value)
        return gathered


def local_device(name: str) -> torch.device:
    """Turn ``--device`` into this process's device: each process of a machine has its own GPU.

    Raises:
        UsageError: No such kind of device.
        ResourceError: The device is not present.
    """
    device, node = resolve_device(name), Node.from_environment()
    if device.type == "cuda" and ":" not in name and node.num_nodes > 1:
        return resolve_device(f"cuda:{node.local_rank}")
    return device


@contextmanager
def joined_ranks(device: torch.device, *, patience: timedelta | None = None) -> Iterator[Ranks]:
    """Join the other processes that ``torchrun`` started; alone without it.

    Args:
        device: Decides how they talk: NCCL between GPUs of CUDA, else gloo.
        patience: How long one waits for another; PyTorch's half an hour when None.

    Raises:
        ResourceError: They could not find one another.
    """
    node = Node.from_environment()
    if node.num_nodes == 1:
        yield Ranks()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    try:
        store, rank, size = next(rendezvous("env://"))
        # Processes that were started again must not find the addresses of those before,
        # which torchrun's store still holds.
        store = PrefixStore(f"start {node.restarts}", store)
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            store=store,
            rank=rank,
            world_size=size,
            timeout=patience,
        )
    except (ValueError, RuntimeError) as error:
        raise ResourceError(
            f"the {node.num_nodes} processes of this run could not connect: {error}",
            hint="start them all with torchrun; docs/scaling.md shows how",
        ) from error
    try:
        yield Ranks(node.rank, node.num_nodes)
    finally:
        dist.destroy_process_group()


@contextmanager
def _one_for_all() -> Iterator[None]:
    """Turn the error of a broken connection into words: gloo and NCCL raise RuntimeErrors."""
    try:
        yield
    except RuntimeError as error:
        raise ResourceError(
            "another process of this run has failed",
            hint="its own message says why; torchrun --max-restarts 3 restarts automatically",
        ) from error
