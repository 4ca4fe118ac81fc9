"""What several test modules share: commands, disks, images, networks, data sets, training runs."""

from tests.toolbox.bilinear import Upscale, save_bilinear
from tests.toolbox.commands import (
    TINY,
    Result,
    Srgan,
    assert_fails,
    call,
    files_below,
    finished,
    start,
    torchrun,
)
from tests.toolbox.disks import enlarge, small_disk
from tests.toolbox.images import synthetic_photograph
from tests.toolbox.layer_files import (
    convolution_numbers,
    onnx_file,
    write_ncnn,
    write_onnx,
    write_param,
)
from tests.toolbox.networks import Chain, Pooled, random_generator
from tests.toolbox.runs import (
    Count,
    Killed,
    Recorder,
    bits,
    last_checkpoint,
    steps_logged,
    stop_before,
    tiny,
)
from tests.toolbox.sets import SCALE, equal, sampler_of, shard_name, write_set

__all__ = [
    "SCALE",
    "TINY",
    "Chain",
    "Count",
    "Killed",
    "Pooled",
    "Recorder",
    "Result",
    "Srgan",
    "Upscale",
    "assert_fails",
    "bits",
    "call",
    "convolution_numbers",
    "enlarge",
    "equal",
    "files_below",
    "finished",
    "last_checkpoint",
    "onnx_file",
    "random_generator",
    "sampler_of",
    "save_bilinear",
    "shard_name",
    "small_disk",
    "start",
    "steps_logged",
    "stop_before",
    "synthetic_photograph",
    "tiny",
    "torchrun",
    "write_ncnn",
    "write_onnx",
    "write_param",
    "write_set",
]
