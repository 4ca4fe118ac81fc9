"""Which folders hold pairs, and which files in them belong together."""

from itertools import product

import pytest

from srgan_cli.data.names import apart, by_stem, match_names, pair_folders, without_hr_folder
from srgan_cli.errors import InputError

NAMES = ("a", "ab", "abc")


def made(folder, *names):
    for name in names:
        (folder / name).mkdir(parents=True)
    return sorted(path for path in folder.iterdir() if path.is_dir())


@pytest.mark.parametrize("suffix", ["", "x2", "_bicLRx2", "_LR", "-lr", "_out", "_x4_SRResNet"])
@pytest.mark.parametrize("ending", ["", "_HR", "-hr"])
def test_names_agree_but_for_one_suffix_and_an_ending_of_hr(suffix, ending):
    hr, lr = ([name + end for name in NAMES] for end in (ending, suffix))
    assert match_names(hr, lr) == dict(zip(hr, lr, strict=True))


def test_a_name_that_continues_another_is_no_suffix():
    assert match_names(["a", "ab"], ["a", "ab"]) == {"a": "a", "ab": "ab"}


def test_an_ending_of_some_names_is_part_of_them():
    assert match_names(["a_HR", "b"], ["a_HR", "b"]) == {"a_HR": "a_HR", "b": "b"}
    assert match_names(["a_HR", "b"], ["a", "b"]) == {"b": "b"}


def test_what_has_no_counterpart_is_not_matched():
    assert match_names(["a", "b", "c"], ["a_x2", "c_x2", "d_x2"]) == {"a": "a_x2", "c": "c_x2"}


@pytest.mark.parametrize(
    ("hr", "lr", "scale"),
    [
        *((hr, lr, None) for hr, lr in product(("hr", "HR", "Hr"), ("lr", "LR", "Lr"))),
        *(("HR", lr, None) for lr in ("LR_bicubic", "LR-unknown", "lr_bicubic_noise")),
        *(("HR", lr, 2) for lr in ("LRx2", "LR_x2", "lr-x2", "LR_bicubic_X2", "LRbicx2")),
        ("DIV2K_train_HR", "DIV2K_train_LR_bicubic", None),
        ("DIV2K_valid_HR", "DIV2K_valid_LR_unknown_x4", 4),
        ("GTmod12", "LRbicx3", 3),
        ("gt", "lq", None),
    ],
)
def test_folders_of_pairs_are_found_by_their_names(tmp_path, hr, lr, scale):
    folders = made(tmp_path, hr, lr, "others", "raw")
    (found,) = pair_folders(folders)
    assert (found.hr.name, found.lr.name, found.scale) == (hr, lr, scale)


def test_an_lr_folder_may_hold_one_for_each_scale(tmp_path):
    folders = made(tmp_path, "DIV2K_train_HR", "DIV2K_train_LR_bicubic")
    made(folders[1], "X2", "X3", "X4")
    assert [(pair.lr.name, pair.scale) for pair in pair_folders(folders)] == [
        ("X2", 2),
        ("X3", 3),
        ("X4", 4),
    ]


@pytest.mark.parametrize(
    "names",
    [("HR",), ("LR",), ("HR", "low"), ("A_HR", "B_LR"), ("HR", "LR2021"), ("photos", "raw")],
)
def test_other_folders_are_no_pairs(tmp_path, names):
    assert pair_folders(made(tmp_path, *names)) == []


def test_long_names_take_no_time(tmp_path):
    assert pair_folders(made(tmp_path, "hr", f"lr{'ab' * 100}1")) == []


def test_two_files_of_one_name_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"a\.png and .*a\.jpg have the same name"):
        by_stem(["a.png", "b.png", "a.jpg"], tmp_path)
    assert by_stem(["x/a.png", "y/a.png"], tmp_path) == {"x/a": "x/a.png", "y/a": "y/a.png"}


def test_the_hr_folder_is_left_out_of_names_where_all_lie_in_it():
    assert without_hr_folder(["HR/a.png", "HR/x/b.png"]) == {
        "HR/a.png": "a.png",
        "HR/x/b.png": "x/b.png",
    }
    for kept in (["HR/a.png", "a.png"], ["A_HR/a.png", "B_HR/a.png"], ["trees/a.png"]):
        assert without_hr_folder(kept) == {name: name for name in kept}


@pytest.mark.parametrize("other", ["{}", "{}_SRF_2_LR", "{}_LR", "{}x2", "{}_SRF_2_SRCNN"])
def test_huangs_names_find_their_counterparts(other):
    hr = [f"{name}_SRF_2_HR" for name in NAMES]
    others = [other.format(name) for name in NAMES]
    assert match_names(hr, others) == dict(zip(hr, others, strict=True))


def test_huangs_names_of_two_scales_are_not_mixed_up():
    hr = ["a_SRF_2_HR", "a_SRF_4_HR"]
    assert match_names(hr, ["a_SRF_2_LR", "a_SRF_4_LR"]) == {
        "a_SRF_2_HR": "a_SRF_2_LR",
        "a_SRF_4_HR": "a_SRF_4_LR",
    }


def test_hr_images_are_told_from_what_was_made_of_them():
    found = apart(
        [
            *("x/a_SRF_2_HR", "x/a_SRF_2_LR", "x/a_SRF_2_A+", "x/a_SRF_2_SRF_4_LR"),
            *("b_HR", "b_LR", "b_lr_x4", "b_2", "b", "c_LR", "DSC_1_lr", "d_SRF_4_LR"),
        ]
    )
    assert found.hr == ("x/a_SRF_2_HR", "b_HR", "b_2", "b", "c_LR", "DSC_1_lr")
    assert found.lr == ("x/a_SRF_2_LR", "b_LR", "b_lr_x4")
    assert found.results == ("x/a_SRF_2_A+", "x/a_SRF_2_SRF_4_LR")
    assert found.orphans == ("d_SRF_4_LR",)
