"""How many threads a process computes with."""

import pytest

from srgan_cli import processes
from srgan_cli.processes import Node


@pytest.mark.parametrize(
    ("asked", "node", "expected"),
    [
        ("", Node(), 8),
        ("1", Node(), 1),
        ("3,2", Node(), 3),
        ("64", Node(), 8),
        ("0", Node(), 8),
        ("many", Node(), 8),
        ("1", Node(rank=0, num_nodes=2, num_local=2), 4),
    ],
)
def test_omp_num_threads_limits_a_process_on_its_own(monkeypatch, asked, node, expected):
    monkeypatch.setattr(processes, "num_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert node.num_threads == expected
