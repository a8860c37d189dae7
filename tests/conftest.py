"""What all tests share."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything loads a BLAS: the default suite runs on two cores

import pytest
from hypothesis import settings
from systems import make_fragment, make_ligated, make_slab

settings.register_profile("qdsurf", deadline=None)  # the machine may be busy
settings.load_profile("qdsurf")


@pytest.fixture
def slab_of():
    """Maker of the slab of a material's first facet; a copy each time."""
    return lambda material: make_slab(material).copy()


@pytest.fixture
def ligated_of():
    """Maker of the candidates of a covered slab; copies each time."""
    return lambda *args: [atoms.copy() for atoms in make_ligated(*args)]


@pytest.fixture
def fragment_of():
    """Maker of a precursor as an adsorbate; a copy each time."""
    return lambda precursor: make_fragment(precursor).copy()
