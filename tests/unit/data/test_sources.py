"""What files and folders name, and what the images in them are called."""

import pytest

from srgan_cli.data.sources import list_photographs, open_sources
from srgan_cli.errors import InputError


@pytest.fixture
def tree(tmp_path, make_photographs):
    for name in ("a", "a/deep", "b", "other/b"):
        make_photographs(tmp_path / name, count=2, size=(20, 20))
    return tmp_path


def names(*paths):
    sources = open_sources(paths)
    found = [photo.source for photo in list_photographs(paths, sources)]
    assert all(sources.path(name).is_file() for name in found)
    return found


def test_images_of_one_folder_are_known_by_their_paths_below_it(tree):
    assert names(tree / "a") == [
        *("deep/photo-00.png", "deep/photo-01.jpg"),
        *("photo-00.png", "photo-01.jpg"),
    ]


def test_images_of_several_folders_begin_with_the_folder(tree):
    assert names(tree / "b", tree / "a" / "deep") == [
        *("b/photo-00.png", "b/photo-01.jpg", "deep/photo-00.png", "deep/photo-01.jpg"),
    ]


def test_folders_of_one_name_are_told_apart(tree):
    found = names(tree / "b", tree / "other" / "b")
    assert found[::2] == ["b/photo-00.png", "b-2/photo-00.png"]


def test_files_are_known_by_their_folder_and_listed_alone(tree):
    assert names(tree / "a" / "photo-01.jpg") == ["a/photo-01.jpg"]
    assert names(tree / "b" / "photo-00.png", tree / "a" / "photo-01.jpg") == [
        *("a/photo-01.jpg", "b/photo-00.png"),
    ]


def test_an_image_that_is_named_twice_is_there_once(tree):
    found = names(tree / "a", tree / "a" / "deep", tree / "a" / "photo-00.png")
    assert found == [
        *("a/deep/photo-00.png", "a/deep/photo-01.jpg"),
        *("a/photo-00.png", "a/photo-01.jpg"),
    ]


def test_what_does_not_exist_is_named(tree):
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        names(tree / "a", tree / "nowhere")
