"""Selection of surface positions: uniform, clustered or random, and reproducible for the same seed."""

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from qdsurf.atomistic.point_sampling import choose_places
from qdsurf.errors import BuildError

STEP_A = 3.0
PATTERNS = ("uniform", "random", "clustered")


def square(n: int) -> tuple[np.ndarray, Atoms]:
    """Return the n x n positions of a periodic square lattice, and its empty cell."""
    grid = np.stack(np.meshgrid(np.arange(n), np.arange(n), indexing="ij"), axis=-1).reshape(-1, 2)
    return np.column_stack([STEP_A * grid, np.zeros(n * n)]), Atoms(cell=[n * STEP_A, n * STEP_A, 20], pbc=(1, 1, 0))


def distances(places: np.ndarray, chosen: np.ndarray, cell: Atoms) -> np.ndarray:
    """Return the distances in A between the chosen positions, nearest images."""
    atoms = Atoms(f"X{len(chosen)}", places[chosen], cell=cell.cell, pbc=cell.pbc)
    return atoms.get_all_distances(mic=True)[np.triu_indices(len(chosen), 1)]


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
@pytest.mark.parametrize("n", [2, 4, 6, 8])
def test_half_of_the_positions_of_a_square_lattice_form_a_chequerboard(n, seed):
    places, cell = square(n)
    chosen = choose_places(places, n * n // 2, cell, "uniform", seed)
    assert distances(places, chosen, cell).min() == pytest.approx(np.sqrt(2) * STEP_A)


@pytest.mark.parametrize("n", [2, 4, 6, 8])
def test_two_positions_are_half_a_diagonal_apart(n):
    places, cell = square(n)
    assert distances(places, choose_places(places, 2, cell), cell) == pytest.approx(n / np.sqrt(2) * STEP_A)


def test_three_positions_of_a_finite_row_are_its_middle_and_its_ends():
    places = np.column_stack([np.arange(9) * STEP_A, np.zeros(9), np.zeros(9)])
    assert sorted(choose_places(places, 3, Atoms()).tolist()) == [0, 4, 8]


@pytest.mark.parametrize("count", [4, 10, 20])
def test_mean_distances_increase_from_clustered_to_random_to_uniform(count):
    places, cell = square(8)
    mean = {
        p: np.mean([distances(places, choose_places(places, count, cell, p, s), cell) for s in range(12)])
        for p in PATTERNS
    }
    assert mean["clustered"] < mean["random"] < mean["uniform"]


def test_a_cluster_of_four_is_a_square():
    places, cell = square(6)
    found = np.sort(distances(places, choose_places(places, 4, cell, "clustered"), cell)) / STEP_A
    assert found == pytest.approx([1, 1, 1, 1, np.sqrt(2), np.sqrt(2)])


@settings(max_examples=40)
@given(st.sampled_from(PATTERNS), st.integers(1, 36), st.integers(0, 1000))
def test_positions_are_unique_and_the_same_for_the_same_seed(pattern, count, seed):
    places, cell = square(6)
    chosen = choose_places(places, count, cell, pattern, seed)
    assert len(chosen) == len(set(chosen.tolist())) == count and set(chosen.tolist()) <= set(range(36))
    np.testing.assert_array_equal(chosen, choose_places(places, count, cell, pattern, seed))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_different_seeds_choose_different_positions(pattern):
    places, cell = square(6)
    assert len({tuple(choose_places(places, 3, cell, pattern, seed).tolist()) for seed in range(8)}) > 1


@pytest.mark.parametrize("pattern", ["uniform", "clustered"])
def test_without_a_seed_the_first_position_is_in_the_middle_of_the_cell(pattern):
    places, cell = square(5)
    first = places[choose_places(places, 3, cell, pattern)[0], :2]
    # The middle of five cells lies between four equally distant positions.
    assert np.abs(first - 2.5 * STEP_A).max() == pytest.approx(STEP_A / 2)


@settings(max_examples=20)
@given(st.sampled_from(["uniform", "clustered"]), st.integers(2, 18), st.integers(0, 100), st.integers(-9, 9))
def test_periodic_images_of_the_positions_give_the_same_choice(pattern, count, seed, cells):
    places, cell = square(6)
    moved = places.copy()
    moved[::3] += cells * cell.cell.array[0]
    np.testing.assert_array_equal(
        choose_places(places, count, cell, pattern, seed), choose_places(moved, count, cell, pattern, seed)
    )


@pytest.mark.parametrize("pattern", PATTERNS)
def test_more_positions_than_available_are_rejected(pattern):
    places, cell = square(2)
    with pytest.raises(BuildError, match="5 positions requested, but 4 are available; request 0 to 4"):
        choose_places(places, 5, cell, pattern)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("n", [0, 3])
def test_no_position_is_chosen_if_none_is_requested(n, pattern):
    places, cell = square(n)
    assert len(choose_places(places, 0, cell, pattern, 1)) == 0
