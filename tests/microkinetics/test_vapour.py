"""Dissociation equilibrium of precursor vapour."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qdsurf.errors import InputError
from qdsurf.microkinetics.rates.vapour import dissociation_constant, speciate
from qdsurf.records.models import Molecule, Oligomer
from qdsurf.units import CAL_PER_MOL_K_EV, KCAL_PER_MOL_EV, STANDARD_PRESSURE_PA, TORR_PA, kelvin


def oligomer(entropy_cal_per_mol_K: float = 43.0, units: int = 2) -> Oligomer:
    return Oligomer(
        molecule=Molecule(name="Al2Me6", smiles="C[Al](C)C.C[Al](C)C"),
        units=units,
        dissociation_enthalpy_eV=20.40 * KCAL_PER_MOL_EV,
        dissociation_entropy_eV_per_K=entropy_cal_per_mol_K * CAL_PER_MOL_K_EV,
        source="assumed for the test",
    )


@pytest.mark.parametrize(("entropy", "fraction"), [(43.0, 0.31), (45.5, 0.49)])
def test_tma_is_mostly_dimer_at_40_C_and_80_mTorr(entropy, fraction):
    pressure = 0.080 * TORR_PA
    monomer, dimer = speciate(oligomer(entropy), kelvin(40), pressure)
    assert monomer / pressure == pytest.approx(fraction, abs=0.005)  # the reference has two digits
    assert monomer + dimer == pytest.approx(pressure, rel=1e-14)


@given(
    units=st.integers(2, 6),
    temperature=st.floats(250, 600),
    pressure=st.floats(1e-8, 1e5),
)
def test_mass_action_holds_with_the_standard_pressure(units, temperature, pressure):
    record = oligomer(units=units)
    monomer, other = speciate(record, temperature, pressure)
    quotient = (monomer / STANDARD_PRESSURE_PA) ** units / (other / STANDARD_PRESSURE_PA)
    assert quotient == pytest.approx(dissociation_constant(record, temperature), rel=1e-10)
    assert monomer + other == pytest.approx(pressure, rel=1e-12)


def test_zero_pressure_gives_zero_partial_pressures():
    assert speciate(oligomer(), 300.0, 0.0) == (0.0, 0.0)


def test_negative_pressure_is_rejected():
    with pytest.raises(InputError, match=r"at 300.0 K and -1.0 Pa: give T > 0 and p >= 0"):
        speciate(oligomer(), 300.0, -1.0)
