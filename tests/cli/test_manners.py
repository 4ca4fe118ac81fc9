"""What fingers type from habit does what is meant, or is answered with the right words."""

import re
import shutil

import pytest
from PIL import Image
from typer.main import get_command

from srgan_cli.cli import app
from srgan_cli.cli.habits import ALIASES, translated
from tests.toolbox import assert_fails, files_below, synthetic_photograph


@pytest.fixture
def photo(tmp_path, monkeypatch):
    """Work in a folder with one small photograph, ``in.png``."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(synthetic_photograph(32, 24)).save("in.png")
    return tmp_path / "in.png"


def _size(path):
    with Image.open(path) as image:
        return image.size, image.format


@pytest.mark.usefixtures("photo")
def test_output_may_name_a_file_whose_suffix_is_the_format(srgan, tmp_path):
    assert srgan("upscale", "in.png", "-o", "new/out.jpg").code == 0
    assert _size(tmp_path / "new/out.jpg") == ((64, 48), "JPEG")
    assert files_below(tmp_path / "new") == ["out.jpg"]


@pytest.mark.parametrize("name", ["big.png", "big.JPG", "file", "big.ico"])
def test_output_that_names_one_file_for_several_images_is_wrong_usage(
    srgan, make_photographs, tmp_path, name
):
    images = make_photographs(tmp_path / "in", count=1 if name == "big.ico" else 2)
    (tmp_path / "file").write_text("mine")
    assert_fails(srgan("upscale", *images, "-o", tmp_path / name), 2, f"--output {tmp_path}")
    assert files_below(tmp_path / "in") == [path.name for path in images]
    assert files_below(tmp_path)[:2] == ["file", "in"]


@pytest.mark.usefixtures("photo")
def test_a_named_file_is_never_written_over_another(srgan, tmp_path):
    (tmp_path / "mine.png").write_text("mine")
    assert srgan("upscale", "in.png", "-o", "mine.png").code == 7
    assert (tmp_path / "mine.png").read_text() == "mine"
    assert_fails(srgan("upscale", "in.png", "-o", "in.png"), 2, "would be overwritten")
    assert_fails(srgan("upscale", "in.png", "-o", "b.jpg", "--ext", "png"), 2, "--ext", "--output")


@pytest.mark.parametrize(
    ("options", "name", "size"),
    [
        ([], "in_x2.png", (64, 48)),
        (["-s", "3"], "in_x3.png", (96, 72)),
        (["-s", "2.5"], "in_x2.5.png", (80, 60)),
        (["--max-side", "60"], "in_60x45.png", (60, 45)),
        (["--ext", "jpg"], "in_x2.jpg", (64, 48)),
        (["--suffix", "-big"], "in-big.png", (64, 48)),
    ],
)
@pytest.mark.usefixtures("photo")
def test_without_output_the_result_lies_beside_its_source(srgan, tmp_path, options, name, size):
    assert srgan("upscale", "in.png", *options).code == 0
    assert _size(tmp_path / name)[0] == size
    assert files_below(tmp_path) == sorted(["in.png", name])


def test_results_beside_their_sources_are_not_upscaled_again(srgan, photo, tmp_path):
    shutil.copy(photo, "other_x2.png")  # A name of ours, but nobody's result.
    assert srgan("upscale", ".").code == 0
    expected = ["in.png", "in_x2.png", "other_x2.png", "other_x2_x2.png"]
    assert files_below(tmp_path) == expected
    again = srgan("upscale", *expected)
    assert again.code == 0
    assert "2 results of earlier commands" in again.err
    assert files_below(tmp_path) == expected
    assert srgan("upscale", "in_x2.png").code == 0  # Named alone, it is meant.
    assert (tmp_path / "in_x2_x2.png").exists()
    assert_fails(
        srgan("upscale", "in_x2.png", "in_x2_x2.png"), 3, "results of earlier", "-o FOLDER"
    )


def test_a_file_of_that_name_that_somebody_else_made_stays(srgan, photo, tmp_path):
    shutil.copy(photo, "in_x2.png")
    assert srgan("upscale", "in.png").code == 7
    assert (tmp_path / "in_x2.png").read_bytes() == photo.read_bytes()


@pytest.mark.parametrize("folder", ["photos [2020]", "a*b", "[x]"])
def test_brackets_in_the_name_of_a_folder_are_no_pattern(srgan, photo, tmp_path, folder):
    (tmp_path / folder).mkdir()
    photo.rename(tmp_path / folder / "in.png")
    assert srgan("upscale", f"{folder}/*.png", "-o", "out").code == 0
    assert files_below(tmp_path / "out") == ["in.png"]


@pytest.mark.usefixtures("photo")
def test_a_pattern_without_a_match_is_unusable_input(srgan, tmp_path):
    assert_fails(srgan("upscale", "*.tif", "-o", "out"), 3, "no file matches *.tif")
    assert srgan("upscale", "*.tif", "in.png", "-o", "out").code == 7
    assert files_below(tmp_path / "out") == ["in.png"]


def test_an_address_is_answered_with_the_command_for_it(srgan):
    url = "https://example.org/a.jpg"
    recipe = f"curl -sL {url} | srgan upscale - -o - > result.png"
    assert_fails(srgan("upscale", url, "-o", "out"), 3, url, recipe)


def test_a_video_is_answered_with_the_commands_for_it(srgan, tmp_path):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"...")
    commands = (f"ffmpeg -i {film} frames/", "srgan upscale frames -o big", "-framerate")
    assert_fails(srgan("upscale", film, "-o", "out"), 3, "a video", *commands)


@pytest.mark.parametrize(("text", "side"), [("2x", 64), ("x2", 64), ("150%", 48), ("×3", 96)])
@pytest.mark.usefixtures("photo")
def test_a_factor_may_be_written_as_people_write_it(srgan, tmp_path, text, side):
    assert srgan("upscale", "in.png", "-o", "out.png", "-s", text).code == 0
    assert _size(tmp_path / "out.png")[0][0] == side


@pytest.mark.parametrize("text", ["two", "", "x", "%", "2xx"])
def test_what_is_no_factor_is_answered_with_examples(srgan, text):
    assert_fails(srgan("upscale", "in.png", "-s", text), 2, "is not a factor", "2.5, 2x or 250%")


@pytest.mark.usefixtures("photo")
def test_a_line_for_real_esrgan_works(srgan, tmp_path):
    line = "upscale -i in.png --out out.png --outscale 3 --model-name photo-x4 --fp32 -g -1"
    result = srgan(*line.split())
    assert result.code == 0, result.err
    assert _size(tmp_path / "out.png")[0] == (96, 72)
    assert "photo-x4 (--model)" in result.err
    assert re.match(r"×3: 1 written, 0 failed in \d+(\.\d)? s", result.out)


@pytest.mark.parametrize(
    ("line", "own"),
    [
        ("train --lr 1e-4 --batch-size=8", "train --learning-rate 1e-4 --batch 8"),
        ("upscale --input=a.png -x -g 1", "upscale a.png --tta --device cuda:1"),
        ("upscale --gpu-id=0 a.png", "upscale --device cuda:0 a.png"),
        ("upscale a.png -- -i", "upscale a.png -- -i"),
        ("eval --lr LR --gt HR", "eval --lr LR --hr HR"),
        ("models list", "models list"),
        ("", ""),
    ],
)
def test_other_tools_names_are_turned_into_ours(line, own):
    assert translated(line.split()) == own.split()


@pytest.mark.parametrize("name", ALIASES)
def test_aliases_lead_to_options_and_hide_none(name):
    command = get_command(app).commands[name]
    options = {flag for parameter in command.params for flag in parameter.opts}
    for alias, own in ALIASES[name].items():
        assert alias not in options
        first = own if isinstance(own, str) else next(iter(own), None)
        assert first is None or first in options


@pytest.mark.usefixtures("photo")
def test_a_rerun_with_nothing_to_do_says_so_in_one_line(srgan):
    assert srgan("upscale", "in.png").code == 0
    again = srgan("upscale", "in.png")
    assert (again.code, again.out) == (0, "nothing to do: 1 result is up to date\n")


@pytest.mark.usefixtures("photo")
def test_quiet_prints_warnings_and_errors_only(srgan, tmp_path):
    result = srgan("upscale", "in.png", "--quiet")
    assert (result.code, result.out, result.err) == (0, "", "")
    (tmp_path / "bad.png").write_text("no image")
    result = srgan("upscale", "bad.png", "in.png", "-q")
    assert (result.code, result.out) == (7, "")
    assert result.err.startswith("warning: bad.png: ")


def test_a_terminal_folds_between_words_but_not_what_is_to_be_copied(srgan, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    url = "https://example.org/" + "a" * 15
    plain = re.sub(r"\x1b\[[0-9;]*m", "", srgan("upscale", f"{url}.jpg", "-o", "out").err)
    error, _, hint = plain.partition("\n hint: ")
    assert len(error.splitlines()) > 1
    assert max(map(len, error.splitlines())) <= 40
    assert " ".join(error.split()).endswith("srgan reads files and standard input")
    assert hint == f"curl -sL {url}.jpg | srgan upscale - -o - > result.png\n"


@pytest.mark.usefixtures("photo")
def test_the_first_line_names_the_strength(srgan):
    assert ", ×2, strength 0.25, " in srgan("upscale", "in.png", "--strength", "0.25").err


@pytest.mark.parametrize("line", ["upscale --nope", "train --nope", "models show", "compare"])
def test_the_hint_names_the_command_at_hand(srgan, line):
    command = line.partition(" --")[0]
    assert_fails(srgan(*line.split()), 2, f"see: srgan {command} --help")


@pytest.mark.parametrize("name", ["x.txt", "out/x.mp4", "x.pngg", "x.jpegx"])
@pytest.mark.usefixtures("photo")
def test_output_that_ends_as_files_do_but_not_as_images_is_refused(srgan, tmp_path, name):
    result = srgan("upscale", "in.png", "-o", name)
    suffix = name[name.rindex(".") :]
    assert_fails(result, 2, f"{suffix} cannot be written", ".png", "to get a folder")
    assert files_below(tmp_path) == ["in.png"]


@pytest.mark.parametrize("name", ["out.v2", "2024.12", "x.txt"])
@pytest.mark.usefixtures("photo")
def test_a_folder_may_have_a_dot_in_its_name(srgan, tmp_path, name):
    if name == "x.txt":
        (tmp_path / name).mkdir()
    assert srgan("upscale", "in.png", "-o", name).code == 0
    assert files_below(tmp_path / name) == ["in.png"]


@pytest.mark.usefixtures("photo")
def test_a_percentage_given_to_resize_and_a_short_model_are_understood(srgan, tmp_path):
    result = srgan("upscale", "in.png", "-o", "a.png", "--resize", "150%", "-m", "fidelity-x2")
    assert result.code == 0
    assert "fidelity-x2 (--model)" in result.err
    assert _size(tmp_path / "a.png")[0] == (48, 36)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("upscale in.png --denoise 2", ("no option --denoise", "--model restore")),
        ("upscale in.png --noise=2", ("no option --noise", "--model restore")),
        ("eval --data photos", ("no option --data", "srgan eval FOLDER")),
        ("upscale -dash.png", ("no option -dash.png", "./-dash.png")),
    ],
)
def test_options_of_other_programs_are_answered_with_what_to_type_instead(srgan, line, words):
    assert_fails(srgan(*line.split()), 2, *words)


@pytest.mark.parametrize("names", [["no.png"], ["no.png", "nor.png"]])
@pytest.mark.usefixtures("home")
def test_missing_files_are_unusable_input_however_many(srgan, names):
    result = srgan("upscale", *names, "-o", "out")
    assert_fails(result, 3, f"{', '.join(names)}: no such file or folder")


@pytest.mark.usefixtures("photo")
def test_a_missing_file_among_others_costs_only_itself(srgan, tmp_path):
    assert srgan("upscale", "no.png", "in.png", "-o", "out").code == 7
    assert files_below(tmp_path / "out") == ["in.png"]


def test_a_name_with_spaces_that_lacks_quotes_is_answered_with_them(srgan, photo):
    photo.rename(photo.with_name("my first cat.png"))
    result = srgan("upscale", "my", "first", "cat.png")
    assert_fails(result, 3, "put quotes around a name with spaces: 'my first cat.png'")


@pytest.mark.parametrize("name", ["t1.onnx", "exports/t1.pth"])
@pytest.mark.usefixtures("photo")
def test_an_export_into_a_file_is_answered_with_the_folder(srgan, tmp_path, name):
    result = srgan("models", "export", "fidelity-x2", "--to", "onnx", "-o", name)
    assert_fails(result, 2, name, f"--output {name.rpartition('/')[0] or '.'}")
    assert files_below(tmp_path) == ["in.png"]


def test_a_number_out_of_range_is_shown_as_it_was_typed(srgan):
    assert_fails(srgan("upscale", "in.png", "-s", "0"), 2, "--scale is 0\n")


def test_a_long_hint_without_a_command_is_folded_between_words(srgan, monkeypatch, photo):
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = srgan("upscale", photo, "--ext", "bmpx").err
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    hint = plain.partition("\n hint: ")[2]
    assert len(hint.splitlines()) > 1
    assert max(map(len, plain.splitlines())) <= 80
    assert ".webp" in hint.split()


@pytest.mark.parametrize(("scale", "words"), [("4", "×4 as ×2 twice"), ("5", "×5 as ×2 3 times")])
def test_a_model_that_runs_several_times_is_said(srgan, photo, scale, words):
    assert words in srgan("upscale", photo, "-s", scale, "-m", "fidelity-x2").err


@pytest.mark.parametrize("scale", ["2", "1.5"])
def test_a_model_that_runs_once_is_not_counted(srgan, photo, scale):
    assert " as ×" not in srgan("upscale", photo, "-s", scale, "-m", "fidelity-x2").err


@pytest.mark.usefixtures("home")
def test_a_text_file_as_a_model_is_refused_without_words_of_libraries(srgan, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    result = srgan("models", "add", tmp_path / "notes.txt")
    assert_fails(result, 4, "notes.txt: not a weights file\n")
