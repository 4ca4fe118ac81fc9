import json
import shlex

import pytest
from PIL import Image

from srgan_cli.config import TrainConfig
from srgan_cli.engine import blend_models, find_model, load_model, write_card
from srgan_cli.engine.models.weights import save_weights
from srgan_cli.engine.publishing.card import training_command
from srgan_cli.errors import InputError, UsageError
from srgan_cli.observer import SilentObserver
from tests.toolbox import files_below

pytestmark = pytest.mark.usefixtures("home")


def front_matter(card):
    yaml = pytest.importorskip("yaml")
    _, text, _ = card.read_text().split("---\n", 2)
    return yaml.safe_load(text)


def scores(path, name="fidelity-x2"):
    sets = [{"name": "Set5", "means": {name: {"psnr": 37.24, "ssim": 0.9571}}}]
    path.write_text(json.dumps({"sets": sets}))
    return path


def test_a_card_has_what_the_hub_reads(tmp_path):
    report = write_card("fidelity-x2", tmp_path / "card", scores=scores(tmp_path / "s.json"))
    head = front_matter(report.card)
    assert head["license"] == "mit"
    assert head["pipeline_tag"] == "image-to-image"
    (result,) = head["model-index"][0]["results"]
    assert result["dataset"]["name"] == "Set5"
    assert {one["type"]: one["value"] for one in result["metrics"]} == {
        "psnr": 37.24,
        "ssim": 0.9571,
    }
    text = report.card.read_text()
    for words in ("451,852", "| Set5 | 37.2400 |", "srgan train", "--steps 2600", "before-after"):
        assert words in text
    with Image.open(report.image) as image:
        assert image.size == (4 * 96, 2 * 72)
    assert files_below(tmp_path / "card") == ["README.md", "before-after.png"]


def test_the_card_of_a_blend_tells_how_both_models_were_trained(tmp_path):
    blend_models("fidelity-x2", "photo-x2", 0.5, "between", SilentObserver())
    text = write_card("between", tmp_path).card.read_text()
    _, fidelity, photo = text.split("## Training of ")
    assert fidelity.startswith("fidelity-x2")
    assert photo.startswith("photo-x2")
    assert "--degrade mild" in photo
    assert "--degrade" not in fidelity


def test_the_card_names_the_teacher_and_its_licence(tmp_path):
    text = write_card("fidelity-x2", tmp_path).card.read_text()
    assert "| teacher name | spanx2_ch48 |" in text
    assert "| teacher licence | Apache-2.0 |" in text


def test_the_command_of_a_card_starts_from_the_weights_that_the_run_started_from(tmp_path):
    model = load_model(find_model("fidelity-x2", 2))
    trained = model.trained | {"started_from": "fidelity-x2", "data": "comics"}
    save_weights(tmp_path / "mine.safetensors", model.generator, trained)
    text = write_card(str(tmp_path / "mine.safetensors"), tmp_path / "card").card.read_text()
    assert "| started from | fidelity-x2 |" in text
    assert "--data comics" in text
    assert "--init fidelity-x2" in text


def test_scores_of_another_model_are_refused(tmp_path):
    for path in (scores(tmp_path / "s.json", "other"), tmp_path / "absent.json"):
        with pytest.raises(InputError, match="no scores of fidelity-x2"):
            write_card("fidelity-x2", tmp_path / "card", scores=path)
    assert not (tmp_path / "card").exists()


def test_a_card_is_not_overwritten_unasked(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        write_card("fidelity-x2", tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"
    write_card("fidelity-x2", tmp_path, overwrite=True)
    assert "fidelity-x2" in (tmp_path / "README.md").read_text()


def test_the_training_command_tells_only_what_is_not_the_default():
    options = TrainConfig().to_dict()
    for form in (options, json.loads(json.dumps(options))):
        assert training_command(form) == "srgan train"
    options = TrainConfig(steps=100, preset="standard").to_dict()
    options["weights"]["perceptual"] = 0.5
    command = training_command(options | {"an_old_option": 3})
    assert set(command.split(" --")) == {
        "srgan train",
        "steps 100",
        "preset standard",
        "perceptual-weight 0.5",
    }


def test_options_of_the_training_command_are_quoted_for_a_shell():
    options = TrainConfig(data="my photos", steps=100).to_dict()
    assert shlex.split(training_command(options)) == [
        *("srgan", "train", "--data", "my photos", "--steps", "100")
    ]


def test_no_text_ends_a_cell_or_a_row_of_a_table(tmp_path):
    sets = [{"name": "a | b\n| c", "means": {"fidelity-x2": {"psnr": 30.0}}}]
    (tmp_path / "s.json").write_text(json.dumps({"sets": sets}))
    text = write_card("fidelity-x2", tmp_path / "card", scores=tmp_path / "s.json").card.read_text()
    assert "\n| a \\| b \\| c | 30.0000 |\n" in text
