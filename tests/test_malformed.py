"""Damaged or malicious files of the user give a clear error: no traceback, and no code in them is executed."""

import copy
import math
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase.build import fcc111, molecule
from ase.io import write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qdsurf.atomistic.molecules import parse_smiles
from qdsurf.cli import main
from qdsurf.errors import QDSurfError
from qdsurf.microkinetics.network.mechanism import read_mechanism
from qdsurf.microkinetics.network.tables import read_tables
from qdsurf.pipeline.config import load_config
from qdsurf.records import library
from qdsurf.records.models import CalculatorSpec
from qdsurf.records.reference_set import read_reference
from qdsurf.storage.files import read_json
from qdsurf.storage.structures import read_structures
from qdsurf.surfaces.external import annotate_external

ROOT = Path(__file__).parent.parent
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 0.0, 1e300, 1e-300]),
    st.text(max_size=8),
    st.sampled_from(["", "../../etc/passwd", "$(touch x)", "a~b~c", "100", "{}", "PbS_100_PbS", "null", "\x00", "é"]),
    st.just([]),
    st.just({}),
    st.just([[1, 2], "x"]),
    st.just({"a": {"b": None}}),
).map(copy.deepcopy)  # An example must not see the changes of another.


@st.composite
def damaged_data(draw, valid: object) -> object:
    """Plain data in which one to three values are replaced, removed, renamed or added."""
    data = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 3))):
        places = list(containers_and_keys(data))
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        change = draw(st.sampled_from(["replace", "remove", "rename", "add"]))
        if change == "replace" or isinstance(container, list):
            container[key] = draw(JUNK)
        elif change == "add":
            container[draw(st.sampled_from([*map(str, container), "x"])) + "s"] = draw(JUNK)
        else:
            value = container.pop(key)
            container |= {draw(st.text(min_size=1, max_size=6)): value} if change == "rename" else {}
    return data


def containers_and_keys(data: object) -> Iterator[tuple[Any, Any]]:
    """Every dict or list in plain data, with each of its keys or indices."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in list(items):
        yield data, key
        yield from containers_and_keys(value)


@st.composite
def damaged_text(draw, valid: str) -> bytes:
    """A text that is truncated, or in which up to 12 bytes are replaced by others."""
    raw = valid.encode()
    start = draw(st.integers(0, len(raw)))
    end = draw(st.integers(start, min(len(raw), start + 12)))
    middle = draw(
        st.one_of(st.binary(max_size=6), st.sampled_from([b"\n", b"nan", b"-", b"1e999", b": [", b"\t", b"\xff"]))
    )
    return raw[:start] + (b"" if draw(st.booleans()) else middle + raw[end:])


def count_errors(strategy: st.SearchStrategy, use: Callable[[Any], object], examples: int) -> int:
    """Number of examples that gave a QDSurfError; any other exception fails the test."""
    messages = []

    @settings(max_examples=examples, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def check(data):
        try:
            use(data)
        except QDSurfError as error:
            messages.append(str(error))

    check()
    assert all(len(message) > 10 for message in messages)
    return len(messages)


def record_text(kind: str, name: str) -> str:
    """Text of a record of the library."""
    return library.record_path(kind, name).read_text()


CONFIGS = [path.read_text() for path in sorted((ROOT / "config").glob("*.yaml"))]
RECORDS = [
    ("materials", "PbS"), ("materials", "CdSe-wz"), ("ligands", "oleate"), ("precursors", "TMA"),
    ("coreactants", "H2O"), ("reactions", "carboxylate_transfer"), ("recipes", "alumina_thermal_40C"),
]  # fmt: skip


def test_damaged_configurations():
    damaged = st.one_of([damaged_data(yaml.safe_load(text)) for text in CONFIGS])
    assert count_errors(damaged, load_config, 120) >= 60


@pytest.mark.parametrize(("kind", "name"), RECORDS)
def test_damaged_records(kind, name):
    damaged = damaged_data(yaml.safe_load(record_text(kind, name)))
    assert count_errors(damaged, lambda data: library.validate(library.KINDS[kind], data, f"{name}.yaml"), 40) >= 15


def test_truncated_or_garbled_configurations(tmp_path):
    def read(raw: bytes):
        (tmp_path / "x.yaml").write_bytes(raw)
        load_config(tmp_path / "x.yaml")

    assert count_errors(st.one_of([damaged_text(text) for text in CONFIGS]), read, 60) >= 20


def test_damaged_mechanisms(tmp_path):
    text = (ROOT / "config/mechanisms/alumina_OH.yaml").read_text()

    def read(raw: bytes):
        (tmp_path / "x.yaml").write_bytes(raw)
        read_mechanism(tmp_path / "x.yaml")

    assert count_errors(damaged_text(text), read, 40) >= 10
    as_text = damaged_data(yaml.safe_load(text)).map(lambda data: yaml.safe_dump(data).encode())
    assert count_errors(as_text, read, 60) >= 30


@pytest.mark.parametrize("ending", ["cif", "extxyz", "xyz", "vasp", "json", "pdb", "xsf", "in"])
def test_damaged_structures(tmp_path, ending):
    slab = fcc111("Ag", (1, 1, 2), vacuum=6.0, orthogonal=False)
    path = tmp_path / f"good.{ending}"
    write(path, slab, format="aims" if ending == "in" else None)

    def read(raw: bytes):
        (tmp_path / f"x.{ending}").write_bytes(raw)
        for atoms in read_structures(tmp_path / f"x.{ending}")[:2]:
            annotate_external(atoms, where=ending)

    assert count_errors(damaged_text(path.read_text()), read, 30) >= 5


def test_damaged_smiles():
    valid = st.sampled_from(["CC(=O)O", "C[Al](C)C", "CCCCCCCC/C=C\\CCCCCCCC(=O)O", "[NH4+]", "CN(C)[Ti](N(C)C)N(C)C"])
    damaged = valid.flatmap(damaged_text).map(lambda raw: raw.decode("latin1"))
    assert count_errors(damaged, lambda smiles: parse_smiles(smiles, "ligand"), 80) >= 40


def test_damaged_tables(tmp_path):
    head = {
        "states": "system,state,energy_eV,gibbs_eV,sigma_eV,temperature_K,mass_amu",
        "steps": "system,step,reaction_class,activation_energy_eV,activation_sigma_eV,barrier_source,initial_state,"
        "final_state,lattice,reactive,removes_ligand,removes_cation,status",
        "sites": "system,family,initial_species,density_per_nm2",
    }
    for name, columns in head.items():
        (tmp_path / f"{name}.csv").write_text(columns + "\n")

    def read(raw: bytes):
        (tmp_path / "sites.csv").write_bytes(raw)
        read_tables(tmp_path)

    assert count_errors(damaged_text(head["sites"] + "\nA~B~C,surface,free,2.0\n"), read, 40) >= 10


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[1, 2", b"\x80\x04N."])
def test_unreadable_results(tmp_path, raw):
    (tmp_path / "x.json").write_bytes(raw)
    with pytest.raises(QDSurfError, match=r"x\.json: not readable as JSON"):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize(
    "words",
    [
        ["slab", "PbS", "0,0,0"], ["slab", "PbS", "banana"], ["slab", "PbS", "100", "--layers", "1", "--bottom", "Xx"],
        ["sites", "{folder}"], ["sites", "{folder}/x.extxyz@7"],
        ["ligate", "{folder}/x.extxyz", "oleate"], ["ligate", "{folder}/x.extxyz", "../../x"],
        ["place", "{folder}/x.extxyz", "C(("], ["place", "{folder}/x.extxyz", "TMA", "--site", "$(touch x)"],
        ["relax", "{folder}/x.extxyz", "--calculator", "os:system"],
        ["relax", "{folder}/x.extxyz", "--calculator", "nowhere:Nothing"],
        ["relax", "{folder}/x.extxyz", "--calculator", ":"],
        ["reactions", "{folder}/x.extxyz", "--precursor", "TMX"],
        ["kinetics", "{folder}/x.extxyz", "--recipe", "x"], ["kinetics", "{folder}", "--recipe", "nope"],
        ["status", "{folder}"], ["status", "{folder}/none"], ["trace", "{folder}/x.extxyz", "0"],
        ["list", "materials", "--frob"],
    ],
    ids=lambda words: "-".join(words).replace("{folder}/", ""),
)  # fmt: skip
def test_command_line_prints_an_error_and_ends_with_exit_code_2(tmp_path, capsys, words):
    write(tmp_path / "x.extxyz", molecule("CH4"))
    output = ["-o", str(tmp_path / "out.xyz")] if words[0] in WRITING else []
    try:
        code = main([word.format(folder=tmp_path) for word in words] + output)
    except SystemExit as ended:  # argparse
        code = ended.code
    assert code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("qdsurf") and "error: " in last


WRITING = ("slab", "ligate", "place", "relax", "kinetics")


class CreatesFile:
    """Object that creates a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    "name",
    [
        "x.pkl",
        "x.pckl",
        "x.pickle",
        "x.traj",
        "x.trj",
        "x.xyz",
        "x.db",
        "x.npy",
        "x.npz",
        "x.json",
        "x.bundle",
        "x.gpw",
    ],
)
def test_pickled_objects_are_not_loaded(tmp_path, name):
    created = tmp_path / "created"
    path = tmp_path / name
    if name.endswith(("npy", "npz")):
        array = np.array([CreatesFile(created)], dtype=object)
        np.save(path, array) if name.endswith("npy") else np.savez(path, array)
    else:
        path.write_bytes(pickle.dumps(CreatesFile(created), protocol=2))
    for read in (read_structures, read_json, library.read_yaml, load_config, read_mechanism):
        with pytest.raises(QDSurfError):
            read(path)
    assert not created.exists()


def test_code_in_files_is_not_executed(tmp_path):
    created = tmp_path / "created"
    (tmp_path / "x.yaml").write_text(
        f"seed: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{created}]]"
    )
    with pytest.raises(QDSurfError, match="not readable as YAML"):
        load_config(tmp_path / "x.yaml")
    code = f"__import__('pathlib').Path('{created}').touch()"
    xyz = molecule("H2O")
    xyz.info |= {"bonds": code, "formed": code, "key": code}
    write(tmp_path / "x.extxyz", xyz)
    read_structures(tmp_path / "x.extxyz")
    with pytest.raises(QDSurfError):
        library.validate(CalculatorSpec, {"name": "emt", "parameters": code}, "calculator")
    assert not created.exists()


def test_command_in_a_configuration_is_quoted_for_the_shell(tmp_path, monkeypatch):
    """ASE passes the command of CP2K to a shell, therefore every word is quoted."""
    from qdsurf.calculators import registry

    monkeypatch.setattr(registry.shutil, "which", lambda name: name)
    given = CalculatorSpec(name="cp2k", parameters={"command": f"echo; touch {tmp_path}/created"})
    assert registry.make_calculator(given).settings["command"] == f"'echo;' touch {tmp_path}/created"


def test_cached_records_are_unchanged():
    assert read_reference().molecules  # The tests above use the same caches.
