"""SevenNet in numba: the values of torch, exact gradients, invariances, and refused structures."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.io import read
from ase.md.verlet import VelocityVerlet
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from qdsurf.calculators.registry import describe_calculator, make_calculator
from qdsurf.calculators.sevennet import weights
from qdsurf.calculators.sevennet.calculator import SevenNet
from qdsurf.calculators.sevennet.neighbours import find_edges
from qdsurf.errors import CalculationError, InputError, UnsupportedElementError
from qdsurf.records.models import CalculatorSpec

DATA = Path(__file__).parent / "data"
REFERENCE = [(model, atoms) for model in weights.MODELS for atoms in read(DATA / f"torch_{model}.extxyz", ":")]
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def double() -> SevenNet:
    return SevenNet(d3="none", precision="double")


def rattled_slab(seed: int = 0) -> Atoms:
    """Water on two layers of PbS(100) with random displacements, periodic in the plane."""
    slab = bulk("PbS", "rocksalt", 5.94, cubic=True)
    slab.center(vacuum=6.0, axis=2)
    slab.pbc = True, True, False
    water = molecule("H2O")
    water.translate(slab.positions[np.argmax(slab.positions[:, 2])] + [0, 0, 2.6])
    atoms = slab + water
    atoms.rattle(0.08, seed=seed % 2**31)
    return atoms


def evaluate(atoms: Atoms, calculator: SevenNet) -> tuple[float, np.ndarray]:
    atoms = atoms.copy()
    atoms.calc = calculator
    return atoms.get_potential_energy(), atoms.get_forces()


@pytest.mark.parametrize(("model", "atoms"), REFERENCE, ids=lambda x: x if isinstance(x, str) else x.info["name"])
def test_values_are_those_of_torch(model, atoms):
    copy = atoms.copy()
    copy.calc = SevenNet(model, d3="none")
    assert copy.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-4)
    np.testing.assert_allclose(copy.get_forces(), atoms.get_forces(), atol=1e-4)
    if atoms.pbc.all():
        np.testing.assert_allclose(copy.get_stress(), atoms.get_stress(), atol=1e-5)


@pytest.mark.parametrize("model", weights.MODELS)
def test_forces_are_the_exact_gradient(model):
    atoms = rattled_slab()
    atoms.calc = SevenNet(model, d3="none", precision="double")
    forces, step = atoms.get_forces(), 1e-4
    for atom, axis in ((0, 2), (4, 0), (8, 1), (10, 2)):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, axis] += sign * step
            energies.append(evaluate(moved, atoms.calc)[0])
        assert forces[atom, axis] == pytest.approx((energies[1] - energies[0]) / (2 * step), abs=2e-6)


def test_stress_is_the_exact_gradient(double):
    atoms = bulk("CdSe", "wurtzite", 4.30, 7.01)
    atoms.rattle(0.05, seed=1)
    atoms.calc = double
    stress = atoms.get_stress(voigt=False)
    for i, j in ((0, 0), (2, 2), (0, 1), (1, 2)):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[i, j] += sign * 5e-5
            strain[j, i] = strain[i, j]
            strained = atoms.copy()
            strained.set_cell(atoms.cell @ strain, scale_atoms=True)
            energies.append(evaluate(strained, double)[0])
        slope = (energies[0] - energies[1]) / 1e-4 / atoms.get_volume() / (1 if i == j else 2)
        assert stress[i, j] == pytest.approx(slope, abs=1e-7)


def test_dispersion_is_added_to_energy_forces_and_stress():
    from dftd3.ase import DFTD3

    atoms = bulk("PbS", "rocksalt", 5.94) * (2, 1, 1)
    atoms.rattle(0.05, seed=2)
    values = []
    for calculator in (SevenNet(), SevenNet(d3="none"), DFTD3(method="PBE", damping="d3bj")):
        atoms.calc = calculator
        values.append((atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()))
    for whole, network, dispersion in zip(*values, strict=True):
        np.testing.assert_allclose(whole, network + dispersion, atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_the_order_of_atoms_does_not_matter(double, seed):
    atoms, order = rattled_slab(seed), np.random.default_rng(seed).permutation(11)
    (energy, forces), (other, permuted) = evaluate(atoms, double), evaluate(atoms[order], double)
    assert other == pytest.approx(energy, abs=1e-9)
    np.testing.assert_allclose(permuted, forces[order], atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_wrapping_and_the_choice_of_the_cell_do_not_matter(double, seed):
    rng, atoms = np.random.default_rng(seed), rattled_slab(seed)
    energy, forces = evaluate(atoms, double)
    moved = atoms.copy()
    moved.positions += rng.integers(-3, 4, (len(atoms), 2)) @ atoms.cell.array[:2] + rng.normal(size=3)
    skewed = atoms.copy()
    skewed.set_cell(np.array([[1, rng.integers(-2, 3), 0], [0, 1, 0], [0, 0, 1]]) @ atoms.cell.array)
    for other in (moved, skewed):
        value, turned = evaluate(other, double)
        assert value == pytest.approx(energy, abs=1e-9)
        np.testing.assert_allclose(turned, forces, atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_a_rotation_rotates_the_forces(double, seed):
    atoms = rattled_slab(seed)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]  # mirror images are among them
    energy, forces = evaluate(atoms, double)
    turned = atoms.copy()
    turned.set_cell(atoms.cell.array @ turn, scale_atoms=False)
    turned.positions = atoms.positions @ turn
    value, other = evaluate(turned, double)
    assert value == pytest.approx(energy, abs=1e-8)
    np.testing.assert_allclose(other, forces @ turn, atol=1e-8)


def test_repeating_the_cell_multiplies_the_energy(double):
    atoms = bulk("CdSe", "zincblende", 6.05)
    atoms.rattle(0.1, seed=3)
    (one, forces), (eight, repeated) = evaluate(atoms, double), evaluate(atoms * 2, double)
    assert eight == pytest.approx(8 * one, abs=1e-8)
    np.testing.assert_allclose(repeated, np.tile(forces, (8, 1)), atol=1e-8)


def test_the_number_of_threads_does_not_change_the_result():
    atoms = bulk("PbS", "rocksalt", 5.94, cubic=True) * 2
    atoms.rattle(0.1, seed=4)
    (energy, forces), (other, threaded) = evaluate(atoms, SevenNet()), evaluate(atoms, SevenNet(threads=3))
    assert other == energy and np.array_equal(threaded, forces)


def test_an_unphysical_energy_of_overlapping_images_is_refused():
    atoms = Atoms("Cu", cell=[20, 20, 0.8], pbc=[False, False, True])
    atoms.calc = SevenNet()
    with pytest.raises(CalculationError, match=r"atom 0 \(Cu\) is \d+ eV below .*closest neighbour is at 0\.80 A"):
        atoms.get_potential_energy()


def test_a_turned_slab_has_the_same_energy_with_dispersion():
    atoms = rattled_slab(3)
    turned = atoms.copy()
    turned.rotate(90, "x", rotate_cell=True)
    (energy, _), (other, _) = evaluate(atoms, SevenNet()), evaluate(turned, SevenNet())
    assert other == pytest.approx(energy, abs=1e-4)


def test_energies_of_atoms_are_available_only_without_dispersion():
    atoms = molecule("CH3OH")
    atoms.calc = SevenNet(d3="none")
    assert atoms.get_potential_energies().sum() == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    atoms.calc = SevenNet()
    atoms.get_potential_energy()
    assert "energies" not in atoms.calc.results


def test_energies_of_distant_molecules_add_up(double):
    water, ammonia = molecule("H2O"), molecule("NH3")
    far = water.copy() + Atoms(ammonia.numbers, ammonia.positions + np.array([0, 0, 30.0]))
    assert evaluate(far, double)[0] == pytest.approx(evaluate(water, double)[0] + evaluate(ammonia, double)[0])
    assert "stress" not in double.results


def test_dynamics_conserve_the_energy():
    atoms = molecule("CH3OH")
    atoms.calc = SevenNet()
    atoms.set_momenta(np.random.default_rng(5).normal(size=(6, 3)) * np.sqrt(atoms.get_masses() * 0.05)[:, None])
    dynamics = VelocityVerlet(atoms, 0.25 * units.fs)
    energies = [atoms.get_total_energy() for _ in dynamics.irun(400)]
    assert np.ptp(energies) < 0.01  # the error of Verlet, which is quadratic in the time step
    assert abs(np.mean(energies[:100]) - np.mean(energies[-100:])) < 1e-3


@settings(max_examples=25, deadline=None)
@given(seed=seeds, periodic=st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_edges_are_those_of_ase(seed, periodic):
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.uniform(3, 9, 3)) + rng.uniform(-2, 2, (3, 3)) * np.tri(3, k=-1)
    atoms = Atoms("Cu8", positions=rng.uniform(-4, 12, (8, 3)), cell=cell, pbc=periodic)
    expected = sorted(np.round(neighbor_list("d", atoms, 5.0), 8))
    try:
        edges = find_edges(atoms, 5.0)
    except CalculationError:
        assert expected[0] < 0.4
        return
    np.testing.assert_allclose(sorted(edges.distances), expected, atol=1e-7)
    assert np.all(np.diff(edges.starts) >= 0) and edges.starts[-1] == len(expected)


def test_the_description_contains_the_hash_of_the_weights():
    described = describe_calculator(CalculatorSpec())
    assert described["parameters"] == {"model": "7net-l3i5", "d3": "PBE"}
    assert described["weights_sha256"] == weights.weights_sha256("7net-l3i5") and described["dftd3"]


def test_torch_is_not_imported():
    code = (
        "import sys; from ase.build import molecule; from qdsurf.calculators.sevennet.calculator import SevenNet;"
        "a = molecule('H2O'); a.calc = SevenNet(); a.get_potential_energy(); assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.slow
def test_several_processes_can_compile_at_the_same_time(tmp_path):
    code = (
        "import sys; from ase.build import molecule; from qdsurf.calculators.sevennet.calculator import SevenNet;"
        "a = molecule('H2O'); a.calc = SevenNet(d3='none', precision=sys.argv[1]); print(a.get_potential_energy())"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    for _ in range(2):  # the second time from the cache
        started = [
            subprocess.Popen([sys.executable, "-c", code, precision], env=environment, stdout=-1, stderr=-1)
            for precision in ("single", "double", "single", "double")
        ]
        printed = [process.communicate() for process in started]
        assert all(process.returncode == 0 for process in started), printed
        energies = [float(out) for out, _ in printed]
        np.testing.assert_allclose(energies[::2], energies[0], rtol=1e-7)
        np.testing.assert_allclose(energies[1::2], energies[1], rtol=1e-12)
        assert energies[0] == pytest.approx(energies[1], abs=1e-4)
    assert list(tmp_path.rglob("*.nbi"))


@pytest.mark.parametrize("damage", ["missing", "short", "empty", "changed"])
def test_damaged_weights_are_refused(tmp_path, monkeypatch, damage):
    path, whole = tmp_path / "7net-0.npz", weights.weights_path("7net-0").read_bytes()
    if damage != "missing":
        middle = len(whole) // 2
        changed = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
        path.write_bytes({"short": whole[:-2000], "empty": b"", "changed": changed}[damage])
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    weights.read_weights.cache_clear()
    with pytest.raises(
        InputError, match=r"7net-0\.npz: the weights of 7net-0 are (missing|damaged).*install qdsurf again"
    ):
        weights.read_weights("7net-0")


@pytest.mark.mlip
@pytest.mark.parametrize("model", weights.MODELS)
def test_weights_are_those_of_sevenn(model):
    pytest.importorskip("sevenn")
    from qdsurf.calculators.sevennet.export import export_weights

    made, stored = export_weights(model), weights.read_weights(model)
    assert made.keys() == stored.keys()
    for name, array in made.items():
        assert array.dtype == stored[name].dtype and np.array_equal(array, stored[name]), name


WATER = molecule("H2O")


def with_position(value: float) -> Atoms:
    atoms = WATER.copy()
    atoms.positions[1, 0] = value
    return atoms


def with_cell(cell, pbc) -> Atoms:
    return Atoms(WATER.numbers, WATER.positions, cell=cell, pbc=pbc)


@pytest.mark.parametrize(
    ("atoms", "error", "words"),
    [
        (Atoms(), InputError, "the structure has no atoms; give at least one"),
        (with_position(np.nan), InputError, r"atom 1 \(H\) has the position \[nan, .*finite numbers in A"),
        (with_position(np.inf), InputError, r"atom 1 \(H\) has the position \[inf"),
        (with_cell([9, 9, 0], [1, 1, 1]), InputError, r"along cell vector c, which is .*set pbc\[2\] to False"),
        (with_cell([[9, 0, 0], [9, 0, 0], [0, 0, 9]], [1, 1, 0]), InputError, "lie in one plane or line"),
        (with_cell([9, np.nan, 9], [0, 0, 0]), InputError, "the cell .* is not finite"),
        (Atoms("OH", [[0, 0, 0], [0, 0, 0.3]]), CalculationError, r"atoms 0 \(O\) and 1 \(H\) are 0\.300 A apart"),
        (Atoms("CuCu", [[0, 0, 0], [0, 0, 0]]), CalculationError, r"atoms 0 \(Cu\) and 1 \(Cu\) are 0\.000 A apart"),
        (with_cell([[9, 0, 0], [9, 1e-3, 0], [0, 0, 9]], [1, 1, 0]), InputError, "lie in one plane or line"),
        (with_cell([9, 9, 0.35], [0, 0, 1]), InputError, "periodic along cell vector c"),
        (Atoms("RnPo", [[0, 0, 0], [0, 0, 3]]), UnsupportedElementError, "7net-l3i5 has no parameters for Po, Rn"),
    ],
)  # fmt: skip
def test_a_structure_without_a_defined_energy_is_refused(atoms, error, words):
    atoms = atoms.copy()
    atoms.calc = SevenNet()
    with pytest.raises(error, match=words):
        atoms.get_potential_energy()


def test_an_unphysical_minimum_of_the_network_is_refused():
    """AlMe3 in a cell so small that it overlaps with its periodic images relaxes into such a minimum."""
    atoms = read(DATA / "overlapping.extxyz")
    atoms.calc = SevenNet()
    with pytest.raises(
        CalculationError,
        match=r"energy of atom \d+ \(\w+\) is \d+ eV below its atomic reference energy.*closest neighbour is at ",
    ):
        atoms.get_potential_energy()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"model": "7net-omni"}, "unknown sevennet model '7net-omni'.*Accepted: 7net-0, 7net-l3i5"),
        ({"d3": "B3LYP"}, "unknown sevennet d3 'B3LYP'. Accepted: PBE, none"),
        ({"threads": 0}, "calculator.parameters.threads: 0 is not a positive integer"),
        ({"threads": 1.5}, "calculator.parameters.threads: 1.5 is not a positive integer"),
        ({"precision": "half"}, "unknown sevennet precision 'half'. Accepted: double, single"),
        ({"device": "cuda"}, "sevennet does not accept .*'device'"),
    ],
)
def test_wrong_parameters_are_refused(parameters, words):
    with pytest.raises(InputError, match=words):
        make_calculator(CalculatorSpec(parameters=parameters))
