"""No scene is on both sides of the split, whatever the folders look like."""

from dataclasses import replace
from hashlib import shake_256

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from srgan_cli.data import scenes
from srgan_cli.data.photographs import Photograph
from srgan_cli.data.scenes import ALIKE, validation_sources
from srgan_cli.data.shards import Record
from srgan_cli.data.similar import Look

records = st.lists(
    st.tuples(
        st.sampled_from(["", "a/", "b/", "a/c/"]),
        st.integers(0, 60),  # The number in the file's name.
        st.integers(0, 12),  # What it shows.
        st.integers(0, 5),  # The minute it was taken in; 0: unknown.
    ),
    min_size=2,
    max_size=60,
    unique_by=lambda item: item[:2],
)


def record(folder, number, scene, minute):
    """Return a record; photographs of one scene have hashes a few bits apart."""
    base = int.from_bytes(
        bytes((scene * 97 + 31 * i * (scene + 1)) % 256 for i in range(32)), "big"
    )
    taken = f"2024:01:01 10:{10 * minute:02d}:{number % 60:02d}" if minute else ""
    thumbnail = shake_256(f"{folder}{number}".encode()).hexdigest(256)
    return Record(
        Photograph(f"{folder}IMG_{number:04d}.jpg", 1, 1),
        sha256=f"{folder}{number}",
        look=Look(f"{base ^ (1 << number):064x}", thumbnail),
        taken=taken,
        pictures=((0, 64, 64),),
    )


def far_apart(one, other):
    return (int(one.look.hash, 16) ^ int(other.look.hash, 16)).bit_count() > ALIKE


@given(records, st.integers(1, 20), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_images_that_look_alike_never_straddle(items, wanted, seed):
    items = [record(*item) for item in sorted(items)]
    chosen, split = validation_sources(items, wanted=wanted, seed=seed)
    sources = {item.photograph.source for item in items}
    assert chosen
    assert chosen < sources
    validation = [item for item in items if item.photograph.source in chosen]
    training = [item for item in items if item.photograph.source not in chosen]
    pairs = [(a, b) for a in validation for b in training]
    alone = all(not far_apart(a, b) for a in items for b in items)
    assert alone or all(far_apart(a, b) for a, b in pairs)
    if not split:  # Nor do shots of one folder within two minutes.
        for a, b in pairs:
            same_folder = (
                a.photograph.source.rsplit("/", 1)[0] == b.photograph.source.rsplit("/", 1)[0]
            )
            if same_folder and "/" in a.photograph.source and a.taken and b.taken:
                assert a.taken[:16] != b.taken[:16]


@given(records, st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_the_split_follows_from_the_seed_and_not_from_the_order_of_shards(items, seed):
    items = [record(*item) for item in sorted(items)]
    once = validation_sources(items, wanted=5, seed=seed)
    assert validation_sources(items, wanted=5, seed=seed) == once
    moved = [replace(item, pictures=((7, 64, 64),)) for item in items]
    assert validation_sources(moved, wanted=5, seed=seed) == once


def test_a_numbered_series_that_looks_related_stays_together():
    def shot(number, bits):
        value = sum(1 << bit for bit in range(bits))
        look = Look(f"{value:064x}", shake_256(bytes([number])).hexdigest(256))
        return Record(Photograph(f"x/IMG_{number}.jpg", 1, 1), look=look, pictures=((0, 9, 9),))

    # Neighbours 80 bits apart: too far for near-duplicates, near enough for a series.
    series = [shot(1, 0), shot(2, 80), shot(3, 160)]
    others = [replace(record("", n, n % 13, 0)) for n in range(5, 17)]
    for seed in range(8):
        chosen, _ = validation_sources([*others, *series], wanted=4, seed=seed)
        assert len({item.photograph.source for item in series} & chosen) in {0, 3}


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_near_duplicates_with_distant_hashes_never_straddle(seed):
    strangers = [record("", 10 * number, number, 0) for number in range(12)]
    first = strangers[0]
    turned = int(first.look.hash, 16) ^ ((1 << ALIKE + 8) - 1)
    twin = replace(
        record("z/", 5, 0, 0), look=replace(first.look, hash=f"{turned:064x}"), sha256="twin"
    )
    chosen, _ = validation_sources([*strangers, twin], wanted=6, seed=seed)
    assert (first.photograph.source in chosen) == (twin.photograph.source in chosen)


@given(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
@settings(deadline=None)
def test_a_scene_is_all_that_edges_connect(edges):
    items = [record("", number, number % 12, 0) for number in range(30)]
    found = scenes._scenes(items, edges)
    ends = np.array(edges, int).reshape(-1, 2).T
    _, labels = connected_components(coo_matrix((np.ones(len(edges)), tuple(ends)), (30, 30)))
    numbers = {item.photograph.source: label for item, label in zip(items, labels, strict=True)}
    assert sorted(source for scene in found for source in scene) == sorted(numbers)
    assert [len({numbers[source] for source in scene}) for scene in found] == [1] * len(found)
    assert len(found) == len(set(labels.tolist()))
