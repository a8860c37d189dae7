"""Every outcome of a saddle search, on surfaces with known saddle points; every force call is counted."""

import json
import re
from collections import Counter

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc100
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.calculators.morse import MorsePotential
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.mep import NEB
from ase.optimize import BFGS

from qdsurf.errors import CalculationError, InputError
from qdsurf.report.figures.saddle import plot_saddle
from qdsurf.saddles import search, verification
from qdsurf.saddles.energy_surface import EnergySurface, Point
from qdsurf.saddles.interpolation import geodesic_path
from qdsurf.saddles.search import ReactionPath, energetic_span, find_saddle
from qdsurf.saddles.string_method import MAX_ITERATIONS, MOVING_IMAGES, relax_string
from qdsurf.saddles.verification import STATUSES, SearchOutcome

MUELLER_BROWN = (
    (-2.00, -1.00, 0.0, -10.0, 1.0, 0.0),
    (-1.00, -1.00, 0.0, -10.0, 0.0, 0.5),
    (-1.70, -6.50, 11.0, -6.5, -0.5, 1.5),
    (0.15, 0.70, 0.6, 0.7, -1.0, 1.0),
)  # 10.1007/BF00547608, amplitudes as eV instead of hundreds
MINIMA = {"A": (-0.5582, 1.4417), "B": (-0.0500, 0.4667), "C": (0.6235, 0.0280)}
SADDLES = {"AB": (-0.8220, 0.6243), "BC": (0.2125, 0.2930)}


def mueller_brown(x: float, y: float) -> tuple[float, float, float]:
    energy = slope_x = slope_y = 0.0
    for amplitude, a, b, c, x0, y0 in MUELLER_BROWN:
        dx, dy = x - x0, y - y0
        term = amplitude * np.exp(a * dx**2 + b * dx * dy + c * dy**2)
        energy += term
        slope_x += term * (2 * a * dx + b * dy)
        slope_y += term * (b * dx + 2 * c * dy)
    return energy, slope_x, slope_y


def double_well(x: float, y: float) -> tuple[float, float, float]:
    """Minima at x = -1 and 1, a barrier of 0.5 eV."""
    return 0.5 * (x**2 - 1) ** 2 + y**2, 2 * x * (x**2 - 1), 2 * y


def ridge(x: float, y: float) -> tuple[float, float, float]:
    """The same wells, 0.7 eV deep; the straight path leads over a maximum, and saddles of 0.52 eV lie beside it."""
    energy = 0.7 * (x**2 - 1) ** 2 + y**4 / 2 + (1.2 * x**2 - 0.6) * y**2
    return energy, 2.8 * x * (x**2 - 1) + 2.4 * x * y**2, 2 * y**3 + 2 * (1.2 * x**2 - 0.6) * y


def ledge(x: float, y: float) -> tuple[float, float, float]:
    """Nearly flat at x = -1.7, then downhill to x = 1."""
    bend = np.tanh(3 * (x + 0.6))
    return -bend + 0.5 * max(x - 1, 0) ** 2 + y**2, -3 * (1 - bend**2) + max(x - 1, 0), 2 * y


class Landscape(Calculator):
    """A hydrogen atom on a surface over x and y, 2 z^2 above and below it; counts its calls."""

    implemented_properties = ("energy", "forces")

    def __init__(self, surface):
        super().__init__()
        self.surface, self.count = surface, 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.count += 1
        x, y, z = self.atoms.positions[0]
        energy, slope_x, slope_y = self.surface(x, y)
        forces = np.zeros((len(self.atoms), 3))
        forces[0] = -slope_x, -slope_y, -4 * z
        self.results = {"energy": energy + 2 * z**2, "forces": forces}


class CountedEMT(EMT):
    count = 0

    def calculate(self, *args, **kwargs):
        self.count += 1
        super().calculate(*args, **kwargs)


def at(x: float, y: float) -> Atoms:
    """The hydrogen atom, and four fixed atoms without interaction, because a path needs distances."""
    posts = [(4, 0, 0), (-4, 0, 0), (0, 4, 0), (0, -4, 0)]
    return Atoms("HAr4", [(x, y, 0.0), *posts], constraint=FixAtoms([1, 2, 3, 4]))


def hop(layers: int = 2) -> tuple[Atoms, Atoms]:
    """An Au atom in two neighbouring hollows of Al(100)."""
    slab = fcc100("Al", (2, 2, layers), vacuum=8)
    ends = []
    for offset in (0, 1):
        atoms = slab.copy()
        add_adsorbate(atoms, "Au", 1.7, "hollow", offset=(offset, 0))
        atoms.set_constraint(FixAtoms(range(4 * (layers - 1))))
        ends.append(atoms)
    return tuple(ends)


def counted(surface, first, second, **keywords):
    calculator = Landscape(surface)
    result = find_saddle(at(*first), at(*second), calculator, **keywords)
    structures = result.structures
    assert result.force_calls["total"] == calculator.count
    assert result.force_calls["total"] == sum(v for k, v in result.force_calls.items() if k != "total")
    assert result.status in STATUSES and result.reason
    record = result.as_record()
    assert json.loads(json.dumps(record)) == record
    return structures, result


@pytest.mark.parametrize(("first", "second"), ["AB", "BA", "BC", "CB"])
def test_saddle_points_of_the_mueller_brown_surface(first, second):
    place = SADDLES["".join(sorted(first + second))]
    barrier = mueller_brown(*place)[0] - mueller_brown(*MINIMA[first])[0]
    structures, result = counted(mueller_brown, MINIMA[first], MINIMA[second], fmax=0.01)
    assert result.status == "verified", result.reason
    assert result.barrier_eV == pytest.approx(barrier, abs=1e-3)
    assert [atoms.info["state"] for atoms in structures] == ["initial", "saddle", "final"]
    assert structures[1].positions[0, :2] == pytest.approx(place, abs=0.01)
    assert structures[1].get_potential_energy() == result.energies_eV["saddle"]
    assert len(result.imaginary_modes_cm) == 1 and result.moved_atoms == 1
    assert result.force_calls["hessian"] == 6


@pytest.mark.parametrize(("first", "second"), ["AC", "CA"])
def test_a_path_through_another_minimum_is_verified_segment_by_segment(first, second):
    structures, result = counted(mueller_brown, MINIMA[first], MINIMA[second], fmax=0.01)
    assert result.status == "verified" and "2 saddles" in result.reason, result.reason
    assert [atoms.info["state"] for atoms in structures] == ["initial", "saddle 1", "minimum", "saddle 2", "final"]
    energies = [mueller_brown(*place)[0] for place in (MINIMA["A"], SADDLES["AB"], MINIMA["B"], SADDLES["BC"])]
    expected = [*energies, mueller_brown(*MINIMA["C"])[0]][:: 1 if first == "A" else -1]
    assert list(result.energies_eV.values()) == pytest.approx(expected, abs=2e-3)
    assert result.barrier_eV == pytest.approx(max(expected) - expected[0], abs=2e-3)
    assert result.reverse_barrier_eV == pytest.approx(max(expected) - expected[-1], abs=2e-3)


def test_conformers_are_one_state_in_a_step_that_changes_bonds():
    ends = [at(*MINIMA[name]) for name in "AC"]
    for atoms in ends:
        atoms.positions[1] = 1.8, 0.5, 0.0  # bound to the hydrogen atom in B and C
    result = find_saddle(*ends, Landscape(mueller_brown), fmax=0.01)
    structures = result.structures
    assert result.status == "verified" and "assumed to interchange freely" in result.reason, result.reason
    assert [atoms.info["state"] for atoms in structures] == ["initial", "saddle", "minimum", "final"]
    barrier = mueller_brown(*SADDLES["AB"])[0] - mueller_brown(*MINIMA["A"])[0]
    assert result.barrier_eV == pytest.approx(barrier, abs=2e-3)


def test_a_path_is_given_up_after_the_largest_number_of_searches(monkeypatch):
    monkeypatch.setattr(search, "MAX_SEARCHES", 1)
    _, result = counted(mueller_brown, MINIMA["A"], MINIMA["C"])
    assert result.status == "wrong_ends" and result.barrier_eV is None and result.reverse_barrier_eV is None
    assert "another minimum" in result.reason and "given up after 1 searches" in result.reason


def test_minima_of_equal_energy_are_distinguished():
    _, result = counted(double_well, (-1, 0), (1, 0), fmax=0.01)
    assert result.status == "verified"
    assert result.barrier_eV == result.reverse_barrier_eV == pytest.approx(0.5, abs=1e-4)


def test_the_search_leaves_a_maximum_for_a_saddle_point(monkeypatch):
    _, result = counted(ridge, (-1, 0), (1, 0), fmax=0.01)
    assert result.status == "verified", result.reason
    assert result.force_calls["hessian"] == 12  # the first one showed two imaginary modes
    assert result.barrier_eV == pytest.approx(0.7 - 0.18, abs=2e-3)  # at y^2 = 0.6
    monkeypatch.setattr(verification, "ATTEMPTS", 1)
    _, result = counted(ridge, (-1, 0), (1, 0), fmax=0.01)
    assert result.status == "several_imaginary_modes" and result.barrier_eV is None
    assert len(result.imaginary_modes_cm) == 2 and "2 imaginary modes" in result.reason


def test_a_path_without_a_maximum_is_barrierless():
    for first, second in (((-1.7, 0), (1.5, 0)), ((1.5, 0), (-1.7, 0))):
        _, result = counted(ledge, first, second)
        rise = result.energies_eV["final"] - result.energies_eV["initial"]
        assert result.status == "barrierless", result.reason
        assert (result.barrier_eV, result.reverse_barrier_eV) == (max(0.0, rise), max(0.0, -rise))


def test_ends_that_are_the_same_state():
    _, result = counted(double_well, (1.01, 0.02), (0.99, 0))
    assert result.status == "same_state" and "two different minima" in result.reason
    hydrogen = Atoms("H2", [(0, 0, 0), (0, 0, 0.74)])
    turned = hydrogen.copy()
    turned.rotate(50, (1, 2, 3))
    turned.translate((1, 0, 3))
    result = find_saddle(hydrogen, turned, MorsePotential(epsilon=4.7, r0=0.74, rho0=1.4))
    assert result.status == "same_state" and result.barrier_eV is None


def test_an_end_that_relaxes_back():
    hydrogen = [Atoms("H2", [(0, 0, 0), (0, 0, length)]) for length in (0.74, 1.2)]
    result = find_saddle(*hydrogen, MorsePotential(epsilon=4.7, r0=0.74, rho0=1.4))
    assert result.status == "wrong_ends"
    assert result.reason == "the final state relaxes into the other: H0-H1 changed"


def test_too_few_calls_and_a_failing_calculator():
    _, result = counted(mueller_brown, MINIMA["A"], MINIMA["B"], max_calls=2)
    assert result.status == "not_converged" and result.barrier_eV is None
    assert re.search("after 2 calls of eigenvector following|not converged in 4 steps", result.reason)

    class Failing(Landscape):
        def calculate(self, *args, **kwargs):
            if self.count == 4:
                raise CalculationError("the charges do not settle")
            super().calculate(*args, **kwargs)

    result = find_saddle(at(*MINIMA["A"]), at(*MINIMA["B"]), Failing(mueller_brown))
    assert result.status == "not_converged" and "the charges do not settle" in result.reason


def test_the_barrier_of_a_hop_agrees_with_a_climbing_band_of_ase():
    initial, final = hop()
    calculator = CountedEMT()
    result = find_saddle(initial, final, calculator, fmax=0.02)
    structures = result.structures
    assert result.status == "verified", result.reason
    assert result.force_calls["total"] == calculator.count
    initial.info["formed"] = [[0, 8]]  # recorded bonds are not restrained in the quenches
    assert find_saddle(initial, final, EMT(), fmax=0.02).status == "verified"
    band = [structures[0].copy() for _ in range(5)] + [structures[-1].copy()]
    NEB(band, method="improvedtangent").interpolate("idpp")
    for atoms in band:
        atoms.calc = EMT()
    climbing = NEB(band, climb=True, method="improvedtangent")
    assert BFGS(climbing, logfile=None).run(fmax=0.02, steps=200)
    energies = [atoms.get_potential_energy() for atoms in band]
    assert result.barrier_eV == pytest.approx(max(energies) - energies[0], abs=5e-3)
    np.testing.assert_array_equal(structures[1].positions[:4], initial.positions[:4])


@pytest.mark.parametrize(
    ("energies", "span", "deciding"),
    [
        ((0.0, 0.7, -0.3), 0.7, 1),
        ((0.0, 0.1, -1.4, -0.1, -2.7), 1.3, 3),  # a deep minimum between the ends
        ((0.0, 0.6, 0.2, 0.7, -1.0), 0.7, 3),
        ((0.0, 0.4), 0.4, 1),
        ((0.0, -0.4), 0.0, 0),
    ],
)
def test_the_energetic_span_begins_at_the_lowest_minimum(energies, span, deciding):
    assert energetic_span(energies) == (pytest.approx(span), deciding)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda atoms: atoms.pop(), "5 atoms, the final 4"),
        (lambda atoms: atoms.set_chemical_symbols("ArHAr3"), "atom 0 is H in the initial and Ar in the final"),
        (lambda atoms: atoms.set_constraint(), "the fixed atoms of the initial and final state differ"),
        (lambda atoms: atoms.set_pbc(True), "cells of the initial and final state differ"),
    ],
)
def test_ends_that_no_path_can_join(change, message):
    final = at(1, 0)
    change(final)
    calculator = Landscape(double_well)
    with pytest.raises(InputError, match=message):
        find_saddle(at(-1, 0), final, calculator)
    assert calculator.count == 0


def test_the_largest_rise_of_a_path_through_conformers_may_end_in_a_minimum():
    def minimum(energy):
        atoms = Atoms("H")
        atoms.calc = SinglePointCalculator(atoms, energy=energy)
        return atoms

    conformers = SearchOutcome(verification.BARRIERLESS, search.CONFORMERS)
    saddle = SearchOutcome(verification.VERIFIED, "", Point(np.zeros(3), 0.1, np.zeros(3)), imaginary_cm=[-500.0])
    downhill = SearchOutcome(verification.BARRIERLESS, "none of 13 images of the path lies above the higher end")
    minima = tuple(minimum(energy) for energy in (0.0, -0.3, 0.4, 0.2))
    path = ReactionPath(minima, (saddle, conformers, downhill))
    summary = search._summarise(path)
    assert summary.status == "verified" and summary.saddle is None and not summary.imaginary_cm
    assert summary.reason.startswith("one saddle with one imaginary mode, minima at -0.30, +0.40 eV on the path")
    assert summary.reason.endswith("the largest rise ends in one of these")
    structures = search._label_structures(path)
    result = search._result(structures, summary, Counter())
    assert result.barrier_eV == pytest.approx(0.7)
    for atoms in structures:
        atoms.set_array("role", np.array(["adsorbate"]))
    assert plot_saddle(structures, result, "system", "step").axes


def test_conformers_between_conformers_are_left_out_and_a_path_of_conformers_only_has_no_saddle():
    minima = []
    for energy in (0.0, 0.9, -0.3, 0.2):
        minima.append(Atoms("H"))
        minima[-1].calc = SinglePointCalculator(minima[-1], energy=energy)
    conformers = SearchOutcome(verification.BARRIERLESS, search.CONFORMERS)
    path = ReactionPath(tuple(minima), (conformers,) * 3)
    merged = search._merge_conformers(path)
    assert merged.minima == (minima[0], minima[-1]) and merged.segments == (conformers,)
    summary = search._summarise(path)
    assert summary.status == verification.NOT_CONVERGED and "the path has no saddle" in summary.reason


def test_atoms_are_not_permuted_if_no_bond_changes():
    """Half a rotation of a rotor over fixed atoms: the step is the exchange of its two atoms."""

    class Rotor(Landscape):
        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            Calculator.calculate(self, atoms, properties, system_changes)
            self.count += 1
            pair = self.atoms.positions[:2]
            x, y, z = pair[1] - pair[0]
            length, angle = np.hypot(x, y), np.arctan2(y, x)
            slope = np.array([x, y, 0]) / length * 20 * (length - 0.74)
            slope += 0.4 * 2 * np.sin(2 * angle) / length**2 * np.array([-y, x, 0]) + np.array([0, 0, 4 * z])
            forces = np.zeros((len(self.atoms), 3))
            middle = pair.sum(axis=0) / 2
            forces[:2] = [slope, -slope] - 2.0 * middle
            energy = 10 * (length - 0.74) ** 2 + 0.4 * (1 - np.cos(2 * angle)) + 2 * z**2 + 2.0 * middle @ middle
            self.results = {"energy": energy, "forces": forces}

    posts = [(4, 0, 0), (-4, 0, 0), (0, 4, 0), (0, -4, 0)]
    ends = [
        Atoms("H2Ar4", [(-0.37 * side, 0, 0), (0.37 * side, 0, 0), *posts], constraint=FixAtoms([2, 3, 4, 5]))
        for side in (1, -1)
    ]
    ends[1].positions[0, 1] = 0.02  # decides the sense of rotation of the path
    result = find_saddle(*ends, Rotor(None))
    assert result.status != "barrierless"


def test_a_string_keeps_its_ends_and_relaxes_to_the_minimum_energy_path():
    ends = [at(*MINIMA[name]) for name in "AB"]
    surface = EnergySurface(ends[0], Landscape(mueller_brown))
    images = relax_string(surface, geodesic_path(*ends))
    places = np.array([atoms.positions[0, :2] for atoms in images])
    np.testing.assert_allclose(places[[0, -1]], [MINIMA["A"], MINIMA["B"]])
    np.testing.assert_allclose(np.diff(np.linalg.norm(np.diff(places, axis=0), axis=1)), 0, atol=0.08)
    top = max(mueller_brown(*place)[0] for place in places)
    assert top == pytest.approx(mueller_brown(*SADDLES["AB"])[0], abs=0.15)
    assert surface.calls <= MAX_ITERATIONS * MOVING_IMAGES
