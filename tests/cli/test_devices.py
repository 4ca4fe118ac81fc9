"""``srgan upscale`` on a GPU that PyTorch does not know: what is made, told and remembered."""

import pytest
from PIL import Image
from rich.progress import Task

from srgan_cli.cli.progress import _Count
from srgan_cli.engine.devices import amp as amps
from srgan_cli.engine.runtimes import opening
from srgan_cli.engine.runtimes.operations import UnsupportedError
from srgan_cli.engine.upscaling.recipe import Recipe
from srgan_cli.imaging.metadata import xmp
from tests.toolbox import save_bilinear, synthetic_photograph
from tests.toolbox.fake_gpu import FakeGpu, right

OPENED = opening._opened


@pytest.fixture(autouse=True)
def gpu(tmp_path, monkeypatch):
    """Work in a folder with ``in.png`` and ``model.safetensors``; pretend that there is a GPU."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(amps, "require_present", lambda _: None)
    monkeypatch.setattr(amps, "vulkan_device", lambda _: None)
    monkeypatch.setattr(opening, "vulkan_device", lambda _: None)
    Image.fromarray(synthetic_photograph(32, 24)).save("in.png")
    save_bilinear(tmp_path / "model.safetensors")

    def computing(spoiled=right):
        monkeypatch.setattr(opening, "_opened", lambda network, *_, **__: FakeGpu(network, spoiled))

    computing()
    return computing


@pytest.fixture
def upscale(srgan):
    """Return a function that upscales ``in.png`` and returns the document and stderr."""

    def run(*options):
        line = ("upscale", "in.png", "-o", "out", "--model", "model.safetensors", "--json")
        result = srgan(*line, *options)
        assert result.code == 0, result.err
        return result.document, result.err

    return run


def made(document):
    """Return device and precision of the result, or None if it stood there already."""
    (one,) = document["written"] or [None]
    return one and (one["device"], one["precision"])


def label():
    with Image.open("out/in.png") as image:
        return xmp.parse(image.info["xmp"]).label


def test_a_named_device_makes_again_what_another_one_made(upscale):
    assert made(upscale("--device", "vulkan")[0]) == ("vulkan", "fp16")
    assert made(upscale("--device", "vulkan:1")[0]) is None
    assert made(upscale("--device", "auto")[0]) is None
    assert made(upscale("--device", "cpu")[0]) == ("cpu", "fp32")
    assert made(upscale()[0]) is None
    assert made(upscale("--device", "vulkan")[0]) == ("vulkan", "fp16")


def test_the_label_and_the_document_say_where_a_result_was_made(upscale):
    (one,) = upscale("--device", "vulkan")[0]["written"]
    assert (one["device"], one["runtime"], one["precision"]) == ("vulkan", "ncnn", "fp16")
    assert (label()["Device"], label()["Precision"]) == ("vulkan", "fp16")
    upscale("--device", "cpu")
    assert label()["Device"] == "cpu"


def test_a_device_that_cannot_be_used_is_told_once_and_its_results_stand(upscale, gpu, srgan):
    gpu(lambda sr, _: sr + 0.5)
    document, told = upscale("--device", "vulkan")
    assert made(document) == ("cpu", "fp32")
    assert "--device vulkan cannot be used, the CPU is used instead: its results differ" in told
    assert made(upscale("--device", "vulkan")[0]) is None
    line = ("in.png", "-o", "other", "--model", "model.safetensors", "--device", "vulkan")
    assert " s, on cpu\n" in srgan("upscale", *line).out


def test_a_network_without_an_equivalent_is_told_in_words(upscale, monkeypatch):
    def fails(*_):
        raise UnsupportedError("padding and slicing depend on the size")

    monkeypatch.setattr(opening, "_opened", OPENED)
    monkeypatch.setattr(opening, "note_operations", fails)
    _, told = upscale("--device", "vulkan", "--precision", "fp32")
    words = " ".join(told.split())
    assert "this network has no equivalent in ncnn: padding and slicing depend" in words
    assert "hint: --device cpu runs without this line" in words


@pytest.mark.parametrize("precision", ["auto", "fp16"])
def test_fp16_with_faults_is_replaced_by_fp32_on_the_device(upscale, gpu, precision):
    gpu(lambda sr, exact: sr if exact else sr + 0.5)
    options = ("--device", "vulkan", "--precision", precision)
    document, told = upscale(*options)
    assert made(document) == ("vulkan", "fp32")
    assert "is used in fp32, because fp16 is too inexact there" in told
    assert "(fp32 for" not in told
    assert made(upscale(*options)[0]) is None


def test_an_image_on_which_fp16_would_show_is_made_in_fp32_unless_fp16_is_asked_for(upscale, gpu):
    gpu(lambda sr, exact: sr if exact else sr + 0.03)
    document, told = upscale("--device", "vulkan")
    assert made(document) == ("vulkan", "fp32")
    assert "(fp32 for 16-bit images and where fp16 is not accurate)" in told
    assert made(upscale("--device", "vulkan", "--precision", "fp16")[0]) == ("vulkan", "fp16")


def test_verifying_takes_the_device_that_the_label_names(upscale, srgan):
    upscale("--device", "vulkan", "--precision", "fp16")
    line = ("upscale", "--verify", "out/in.png", "in.png", "--model", "model.safetensors")
    result = srgan(*line, "--json")
    assert result.code == 0, result.out
    assert (result.document["device"], result.document["precision"]) == ("vulkan", "fp16")


def test_verifying_names_both_devices_where_results_differ(upscale, gpu, srgan):
    gpu(lambda sr, exact: sr if exact else sr + 0.03)
    upscale("--device", "vulkan", "--precision", "fp16")
    line = ("upscale", "--verify", "out/in.png", "in.png", "--model", "model.safetensors")
    result = srgan(*line, "--device", "cpu")
    assert result.code == 9
    words = " ".join(result.out.split())
    assert "made with ncnn on vulkan in fp16, srgan" in words
    assert " on cpu in fp32, srgan" in words.partition("here: ")[2]


def test_a_dry_run_neither_measures_nor_remembers(srgan, home, monkeypatch):
    monkeypatch.delenv("SRGAN_MEASURE")
    for device in ("cpu", "vulkan"):
        result = srgan("upscale", "in.png", "-o", "out", "--dry-run", "--device", device)
        assert result.code == 0
        assert "measuring" not in result.err
    assert not list(home.glob("speeds*"))


def test_results_of_versions_that_wrote_no_device_down_count_as_done(upscale, monkeypatch):
    settings = Recipe._settings
    with monkeypatch.context() as patch:
        patch.setattr(Recipe, "_settings", lambda *given: settings(*given[:-1], None))
        upscale()
    for device in ("cpu", "vulkan", "auto"):
        options = ("--device", device, "--precision", "fp32")
        assert made(upscale(*options)[0]) is None


def test_the_bar_of_a_small_image_shows_digits():
    task = Task(0, "", 0.0041, 0.0041, _get_time=lambda: 0.0)
    task.fields = {"unit": "MP"}
    assert _Count().render(task).plain == "0.0041/0.0041 MP"


def test_the_rate_of_a_bar_has_its_unit_and_its_place_from_the_start():
    task = Task(0, "", 8.0, 2.0, _get_time=lambda: 0.0)
    task.fields = {"unit": "MP"}
    assert _Count().render(task).plain == "2/8 MP  0.00 MP/s"
    task.finished_speed = 3.5
    assert _Count().render(task).plain == "2/8 MP  3.5 MP/s"
