"""Work in processes: quick to start, one thread each, and its errors arrive."""

import ast
import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

from srgan_cli.data.workers import run_parallel
from srgan_cli.errors import InputError


def refuse(name):
    raise InputError(f"{name} is bad", hint="look elsewhere")


def test_each_of_several_processes_computes_with_one_thread(monkeypatch):
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]
    for name in names:
        monkeypatch.setenv(name, "7")
    assert dict(run_parallel(os.getenv, names, 2)) == dict.fromkeys(names, "1")
    assert dict(run_parallel(os.getenv, names, 1)) == dict.fromkeys(names, "7")


def test_loading_ahead_leaves_the_environment_as_it_was():
    code = """
import os
from srgan_cli.data import workers
workers.num_cores = lambda: 2
os.environ["OPENBLAS_NUM_THREADS"] = "7"
before = dict(os.environ)
workers.load_ahead(["numpy", "srgan_cli.errors"])
assert dict(os.environ) == before
print(dict(workers.run_parallel(os.getenv, ["OPENBLAS_NUM_THREADS", "HOME"], 2)))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    assert "'OPENBLAS_NUM_THREADS': '1'" in result.stdout


def test_processes_start_where_the_temporary_folder_has_a_long_name(tmp_path):
    folder = tmp_path / ("temporary" * 12)  # Too long for the name of a socket below it.
    folder.mkdir()
    code = """
import os
from srgan_cli.data import workers
workers.num_cores = lambda: 2
workers.load_ahead(["srgan_cli.errors"])
print(dict(workers.run_parallel(os.getenv, ["TMPDIR", "OMP_NUM_THREADS"], 2)))
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env=os.environ | {"TMPDIR": str(folder)},
        text=True,
        check=False,
    )
    wanted = {"TMPDIR": str(folder), "OMP_NUM_THREADS": "1"}
    assert ast.literal_eval(result.stdout or "None") == wanted, result.stderr


@pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="loads nothing ahead"
)
def test_ctrl_c_while_loading_ahead_is_left_to_the_command(tmp_path):
    (tmp_path / "slow.py").write_text("""
import pathlib, time
pathlib.Path("loading").touch()
time.sleep(0.5)
""")
    code = """
import os, pathlib, signal, time
from srgan_cli.data import workers
workers.num_cores = lambda: 2
workers.load_ahead(["slow"])
while not pathlib.Path("loading").exists():
    time.sleep(0.01)
try:
    os.killpg(0, signal.SIGINT)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        start_new_session=True,
        text=True,
        timeout=60,
    )
    assert (result.stdout, result.stderr) == ("interrupted\n", "")


@pytest.mark.parametrize("num_workers", [1, 2])
def test_errors_arrive_with_their_hints(num_workers):
    with pytest.raises(InputError, match="is bad") as caught:
        list(run_parallel(refuse, ["a", "b"], num_workers))
    assert caught.value.hint == "look elsewhere"


def test_preparing_needs_no_torch():
    code = (
        "import sys, srgan_cli.cli.prepare, srgan_cli.data.prepare; print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stdout.split() == [b"False"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_until_the_workers_are_started(monkeypatch, number):
    before = signal.signal(number, signal.default_int_handler)
    begun, submitted, submit = [], [], ProcessPoolExecutor.submit

    def interrupted(*arguments):
        begun.append(arguments)
        if len(begun) == 1:
            signal.raise_signal(number)
        submitted.append(arguments)
        return submit(*arguments)

    monkeypatch.setattr(ProcessPoolExecutor, "submit", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(run_parallel(os.getenv, ["HOME", "PATH", "USER"], 2))
        assert len(submitted) == 3
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)
