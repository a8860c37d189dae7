"""Large structures: the sparse Hessian agrees with the dense one, and L-BFGS with it finds the same minimum."""

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.constraints import FixAtoms

from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation import descent
from qdsurf.relaxation.hessian import model_hessian
from qdsurf.relaxation.preconditioned import SpringPreconditioner, spring_hessian
from qdsurf.relaxation.relax import relax_batch


@pytest.mark.parametrize("atoms", [molecule("CH3CH2OH"), bulk("Cu", cubic=True) * 4], ids=["ethanol", "copper"])
def test_the_sparse_hessian_is_the_dense_one_without_weak_springs(atoms):
    sparse, dense = spring_hessian(atoms).toarray(), model_hessian(atoms)
    np.testing.assert_allclose(sparse, sparse.T, atol=1e-12)
    assert abs(sparse - dense).max() < 0.1 * abs(dense).max()
    assert np.linalg.eigvalsh(sparse).min() > 0


def test_fixed_atoms_are_not_part_of_the_preconditioner():
    atoms = bulk("Cu", cubic=True) * 2
    atoms.set_constraint(FixAtoms([0, 5]))
    springs = SpringPreconditioner()
    springs.make_precon(atoms)
    x = np.random.default_rng(0).normal(size=3 * len(atoms))
    solved = springs.solve(x)
    assert np.all(solved.reshape(-1, 3)[[0, 5]] == 0)
    free = np.setdiff1d(np.arange(len(atoms)), [0, 5])
    np.testing.assert_allclose(springs.Pdot(solved).reshape(-1, 3)[free], x.reshape(-1, 3)[free], atol=0.02)


def test_both_optimisers_reach_the_same_minimum(monkeypatch):
    atoms = bulk("Cu", cubic=True) * 3
    atoms.rattle(0.1, seed=1)
    dense = relax_batch([atoms], CalculatorSpec(name="emt"), fmax=0.005)[0].atoms
    monkeypatch.setattr(descent, "MAX_ATOMS_DENSE_HESSIAN", 50)
    (result,) = relax_batch([atoms], CalculatorSpec(name="emt"), fmax=0.005)
    sparse = result.atoms
    assert result.converged
    assert sparse.get_potential_energy() == pytest.approx(dense.get_potential_energy(), abs=1e-3)
