import dataclasses
from pathlib import Path

import pytest
import torch

from srgan_cli.config import PRESETS
from srgan_cli.engine import add_model, choose_default, list_models, remove_model, show_model
from srgan_cli.engine.models import shelf
from srgan_cli.engine.models.interpolation import find_pair, interpolate
from srgan_cli.engine.models.shelf import (
    BUNDLED,
    find_model,
    find_model_for_factor,
    models_in_use,
    set_default,
)
from srgan_cli.engine.models.trained_runs import Qualification
from srgan_cli.engine.models.weights import (
    PRETRAIN_FILE,
    WEIGHTS_FILE,
    ModelSource,
    load_model,
    save_tensors,
    save_weights,
)
from srgan_cli.engine.networks.base import num_parameters
from srgan_cli.engine.networks.dense import DenseNetwork
from srgan_cli.engine.networks.srvgg import SRVGGNetCompact
from srgan_cli.errors import UsageError, WeightsError
from srgan_cli.imaging.comparison import Difference
from srgan_cli.observer import SilentObserver
from srgan_cli.paths import models_dir, runs_dir

BETTER = Qualification(
    qualified=True,
    reason="better",
    against="fidelity-x2",
    images=16,
    over_bicubic=1,
    psnr=Difference(1, 1, 1, "better"),
)
SMALL = dataclasses.replace(PRESETS["compact"], channels=8, growth=4, num_blocks=1)

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def put(tmp_path):
    """Return a function that puts a small model on the shelf."""

    def run(stem, scale=4, **options):
        torch.manual_seed(0)
        path = tmp_path / f"{stem}.pth"
        torch.save({"params": SRVGGNetCompact(8, 2, scale).half().state_dict()}, path)
        return add_model(
            path, options.get("name"), SilentObserver(), licence=options.get("licence")
        )

    return run


def make_run(name, scale=2):
    path = runs_dir() / name / WEIGHTS_FILE
    path.parent.mkdir(parents=True)
    save_weights(path, DenseNetwork(dataclasses.replace(SMALL, scale=scale)), {"steps": 3})
    return path


def test_what_is_put_on_the_shelf_gives_the_same_images(put, tmp_path):
    info = put("anime", licence="BSD-3-Clause")
    original = load_model(ModelSource("", tmp_path / "anime.pth", "")).generator
    kept = load_model(find_model("anime", None))
    lr = torch.rand(1, 3, 8, 9)
    assert torch.equal(kept.generator(lr), original(lr))
    assert (info.kind, info.licence, info.summary.scale) == ("shelf", "BSD-3-Clause", 4)
    assert info.summary.parameters == num_parameters(original)
    assert info.origin["file"] == "anime.pth"
    assert info.path.parent == models_dir()
    assert [path.name for path in models_dir().iterdir()] == ["anime.safetensors"]


@pytest.mark.parametrize("nonsense", [3, [1], {"of": 1}, {"of": ["x", {"trained": 3}]}])
def test_a_header_of_nonsense_costs_the_story_alone(nonsense):
    models_dir().mkdir(parents=True)
    generator = DenseNetwork(SMALL)
    keys = ("trained", "origin", "blend", "licence")
    header = generator.to_header() | dict.fromkeys(keys, nonsense)
    save_tensors(models_dir() / "odd.safetensors", generator.state_dict(), header)
    (info,) = (info for info in list_models().models if info.name == "odd")
    assert info.licence is None
    assert all(isinstance(told, dict) for told in (info.origin, *info.trainings.values()))


def test_a_run_put_on_the_shelf_keeps_its_story():
    info = add_model(make_run("mine"), "kept", SilentObserver())
    assert info.trainings == {"kept": {"steps": 3}}
    assert load_model(find_model("kept", None)).generator.config == SMALL


def test_macs_are_those_counted_by_hand(put):
    weights = 8 * 27 + 2 * 8 * 72 + 48 * 72  # 3×3 convolutions: 3→8, twice 8→8, 8→48.
    assert put("anime").summary.macs_per_pixel == pytest.approx(weights / 16)


def test_what_does_not_load_is_not_put_on_the_shelf(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"a": torch.zeros(3)}, path)
    with pytest.raises(WeightsError):
        add_model(path, None, SilentObserver())
    assert not models_dir().exists()


@pytest.mark.parametrize("name", ["fidelity-x2", "mine", "anime"])
def test_a_name_that_is_taken_is_refused(put, name):
    make_run("mine")
    put("anime")
    with pytest.raises(UsageError, match="already"):
        put("other", name=name)
    assert [path.name for path in models_dir().iterdir()] == ["anime.safetensors"]


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden"])
def test_no_name_leads_out_of_the_shelf(put, name):
    with pytest.raises(UsageError):
        put("x", name=name)
    assert not models_dir().exists()


def test_a_run_that_took_the_name_later_hides_nothing(put):
    put("anime")
    path = make_run("anime")
    with pytest.raises(WeightsError, match="shelf and a run") as caught:
        find_model("anime", None)
    assert str(path) in caught.value.hint
    assert find_model(str(path), None).path == path


def test_a_file_without_its_extension_is_suggested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("odd.bin", "odd.param", ".hidden", "odd.txt"):
        (tmp_path / name).touch()
    with pytest.raises(WeightsError) as caught:
        find_model(str(tmp_path / "odd"), None)
    assert caught.value.hint == f"did you mean the file {tmp_path / 'odd.param'}?"
    with pytest.raises(WeightsError) as caught:
        find_model("", None)
    assert "hidden" not in caught.value.hint


def test_a_folder_that_is_no_run_is_called_a_folder(tmp_path):
    with pytest.raises(WeightsError, match="is a folder, but not of a run"):
        find_model(str(tmp_path), 2)


def test_a_chosen_model_that_is_gone_is_shown_as_such():
    set_default(4, "gone")
    used = models_in_use()
    assert used[2][0] == "photo-x2"
    assert used[4][0] == "gone"
    assert "does not exist any more" in used[4][1]


def test_a_name_without_its_scale_is_the_model_for_the_scale_that_is_wanted():
    make_run("sharp-x2")
    make_run("sharp-x4", scale=4)
    assert find_model("sharp", 4).name == "sharp-x4"
    assert [find_model("sharp", scale).name for scale in (2, None)] == ["sharp-x2"] * 2
    with pytest.raises(WeightsError, match="no model is called sharp-x3"):
        find_model("sharp", 3)


def test_part_of_a_name_is_enough_when_only_one_has_it(put):
    put("realesr-anime-x4")
    make_run("flowers")
    assert find_model("ANIME", None).name == "realesr-anime-x4"
    assert find_model("flow", None).name == "flowers"
    with pytest.raises(WeightsError) as caught:
        find_model("e", None)
    assert "flowers" in caught.value.hint
    assert "fidelity-x2" in caught.value.hint


def test_part_of_the_name_of_an_installed_model_is_enough_where_no_other_has_it(monkeypatch, put):
    entries = [
        shelf.KnownModel(name, "installed", Path(name))
        for name in ("anime-x2", "anime-x4", "photoreal-x4")
    ]
    monkeypatch.setattr(shelf, "installed_models", lambda: tuple(entries))
    assert find_model("anime", 4).name == "anime-x4"
    assert find_model("real", None).name == "photoreal-x4"
    with pytest.raises(WeightsError, match="several models have nim in their names"):
        find_model("nim", None)
    put("real-mine")
    assert find_model("real", None).name == "real-mine"


def test_a_full_name_is_preferred_to_a_part_of_another(put):
    put("anime-x4")
    put("anime-x4-plus")
    assert find_model("anime-x4", None).name == "anime-x4"


def test_the_default_of_a_scale_comes_before_runs_and_bundled_models(put):
    BETTER.write(make_run("newest").parent)
    put("anime")
    assert find_model(None, None).name == "newest"
    assert choose_default("ani").default
    assert find_model(None, 4).name == "anime"
    assert find_model(None, None).name == "anime"
    assert find_model(None, 2).name == "newest"
    assert find_model_for_factor(None, 3.5).name == "anime"
    assert find_model_for_factor(None, 2).name == "newest"


PAIRS = ("photo-x2", "photo-x4", "fidelity-x2", "fidelity-x4")


@pytest.mark.parametrize("bundled", [PAIRS, PAIRS[2:]], ids=["pairs", "fidelity alone"])
def test_the_first_bundled_model_of_a_scale_is_the_default(bundled, monkeypatch):
    monkeypatch.setattr(shelf, "BUNDLED", bundled)
    kind = bundled[0].partition("-")[0]
    wanted = {None: 2, 2: 2, 4: 4}
    found = {scale: find_model(None, scale).name for scale in wanted}
    assert found == {scale: f"{kind}-x{factor}" for scale, factor in wanted.items()}
    assert find_model_for_factor(None, 3.5).name == f"{kind}-x4"
    for name in bundled:
        family, _, factor = name.partition("-x")
        assert find_model(family, int(factor)).name == name
        assert find_model_for_factor(family, 1.5 if factor == "2" else 3).name == name


@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_model_is_in_the_package_and_of_the_scale_of_its_name(name):
    model = load_model(find_model(name, None))
    assert name.endswith(f"-x{model.scale}")


def test_no_weights_lie_in_the_package_that_have_no_name():
    weights = find_model(BUNDLED[0], None).path.parent
    assert {path.stem for path in weights.glob("*-x[0-9].safetensors")} == set(BUNDLED)


def test_every_bundled_photo_model_blends_with_its_fidelity_twin():
    for name in BUNDLED:
        if name.startswith("photo-"):
            photo = load_model(find_model(name, None))
            fidelity = load_model(find_pair(photo)[0])
            assert fidelity.source.name == name.replace("photo", "fidelity")
            interpolate(fidelity, photo, 0.5)


@pytest.mark.parametrize(("phase", "is_pair"), [("pretrain", False), ("adversarial", True)])
def test_a_run_without_its_second_phase_is_no_pair(phase, is_pair):
    bundled = load_model(find_model("fidelity-x2", 2))
    folder = runs_dir() / "mine"
    folder.mkdir(parents=True)
    for name in (PRETRAIN_FILE, WEIGHTS_FILE):
        save_weights(folder / name, bundled.generator, {"phase": phase})
    model = load_model(find_model("mine", 2))
    if is_pair:
        assert [one.path.name for one in find_pair(model)] == [PRETRAIN_FILE, WEIGHTS_FILE]
        return
    with pytest.raises(WeightsError, match="not part of a pair"):
        find_pair(model)


def test_the_latest_default_counts_where_no_scale_is_named(put):
    put("anime")
    choose_default("anime")
    choose_default("fidelity-x2")
    assert find_model(None, None).name == "fidelity-x2"
    choose_default("anime")
    assert find_model(None, None).name == "anime"


def test_removing_the_default_goes_back_to_the_rule(put):
    put("anime")
    choose_default("anime")
    remove_model("anime")
    assert find_model(None, None).name == BUNDLED[0]
    assert not list(models_dir().glob("*.safetensors"))


def test_only_what_is_on_the_shelf_is_removed_and_by_its_full_name(put):
    run = make_run("mine")
    put("anime")
    for name in ("mine", "fidelity-x2"):
        with pytest.raises(UsageError):
            remove_model(name)
    for name in ("ani", "nothing"):
        with pytest.raises(WeightsError):
            remove_model(name)
    assert run.is_file()
    assert show_model("anime").kind == "shelf"


def test_one_broken_file_does_not_cost_the_list(put):
    put("anime")
    (models_dir() / "broken.safetensors").write_bytes(b"nothing")
    found = list_models()
    assert [info.name for info in found.models] == [*BUNDLED, "anime"]
    assert list(found.unusable) == ["broken"]


def test_any_file_can_be_shown(tmp_path):
    path = tmp_path / "x.pth"
    torch.save(SRVGGNetCompact(8, 2, 3).state_dict(), path)
    info = show_model(str(path))
    assert (info.kind, info.summary.scale, info.licence) == ("file", 3, None)
    with pytest.raises(UsageError, match="needs a name"):
        choose_default(str(path))


def test_a_damaged_list_of_defaults_is_named():
    models_dir().mkdir(parents=True)
    (models_dir() / "defaults.json").write_text("[1]")
    with pytest.raises(WeightsError, match=r"defaults\.json"):
        find_model(None, None)
