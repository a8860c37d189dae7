"""Whatever a user's file holds, it is read or refused with a clear error: never a traceback, never executed."""

import copy
import math
import pickle
from collections.abc import Callable
from pathlib import Path

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
).map(copy.deepcopy)  # what one example changes another must not see


@st.composite
def damaged_data(draw, valid: object) -> object:
    """Plain data with one to three places replaced, removed, renamed or added."""
    data = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 3))):
        holders = list(_holders(data))
        if not holders:
            break
        holder, key = draw(st.sampled_from(holders))
        what = draw(st.sampled_from(["replace", "remove", "rename", "add"]))
        if what == "replace" or isinstance(holder, list):
            holder[key] = draw(JUNK)
        elif what == "add":
            holder[draw(st.sampled_from([*map(str, holder), "x"])) + "s"] = draw(JUNK)
        else:
            value = holder.pop(key)
            holder |= {draw(st.text(min_size=1, max_size=6)): value} if what == "rename" else {}
    return data


def _holders(data: object):
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in list(items):
        yield data, key
        yield from _holders(value)


@st.composite
def damaged_text(draw, valid: str) -> bytes:
    """A text that is cut off, or in which a piece is replaced by other characters."""
    raw = valid.encode()
    start = draw(st.integers(0, len(raw)))
    end = draw(st.integers(start, min(len(raw), start + 12)))
    middle = draw(
        st.one_of(st.binary(max_size=6), st.sampled_from([b"\n", b"nan", b"-", b"1e999", b": [", b"\t", b"\xff"]))
    )
    return raw[:start] + (b"" if draw(st.booleans()) else middle + raw[end:])


def refusals(strategy: st.SearchStrategy, use: Callable[[object], object], examples: int) -> int:
    """How many of the examples were refused; any other exception than ours fails the test."""
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


def yaml_of(kind: str, name: str) -> str:
    return library.record_path(kind, name).read_text()


CONFIGS = [path.read_text() for path in sorted((ROOT / "config").glob("*.yaml"))]
RECORDS = [
    ("materials", "PbS"), ("materials", "CdSe-wz"), ("ligands", "oleate"), ("precursors", "TMA"),
    ("coreactants", "H2O"), ("reactions", "carboxylate_transfer"), ("recipes", "alumina_thermal_40C"),
]  # fmt: skip


def test_configurations():
    damaged = st.one_of([damaged_data(yaml.safe_load(text)) for text in CONFIGS])
    assert refusals(damaged, load_config, 120) >= 60


@pytest.mark.parametrize(("kind", "name"), RECORDS)
def test_records(kind, name):
    damaged = damaged_data(yaml.safe_load(yaml_of(kind, name)))
    assert refusals(damaged, lambda data: library.validate(library.KINDS[kind], data, f"{name}.yaml"), 40) >= 15


def test_texts_of_configurations_and_records(tmp_path):
    def use(raw: bytes):
        (tmp_path / "x.yaml").write_bytes(raw)
        load_config(tmp_path / "x.yaml")

    assert refusals(st.one_of([damaged_text(text) for text in CONFIGS]), use, 60) >= 20


def test_mechanisms(tmp_path):
    text = (ROOT / "config/mechanisms/alumina_OH.yaml").read_text()

    def use(raw: bytes):
        (tmp_path / "x.yaml").write_bytes(raw)
        read_mechanism(tmp_path / "x.yaml")

    assert refusals(damaged_text(text), use, 40) >= 10
    as_text = damaged_data(yaml.safe_load(text)).map(lambda data: yaml.safe_dump(data).encode())
    assert refusals(as_text, use, 60) >= 30


@pytest.mark.parametrize("ending", ["cif", "extxyz", "xyz", "vasp", "json", "pdb", "xsf", "in"])
def test_structures(tmp_path, ending):
    slab = fcc111("Ag", (1, 1, 2), vacuum=6.0, orthogonal=False)
    path = tmp_path / f"good.{ending}"
    write(path, slab, format="aims" if ending == "in" else None)

    def use(raw: bytes):
        (tmp_path / f"x.{ending}").write_bytes(raw)
        for atoms in read_structures(tmp_path / f"x.{ending}")[:2]:
            annotate_external(atoms, where=ending)

    assert refusals(damaged_text(path.read_text()), use, 30) >= 5


def test_smiles():
    valid = st.sampled_from(["CC(=O)O", "C[Al](C)C", "CCCCCCCC/C=C\\CCCCCCCC(=O)O", "[NH4+]", "CN(C)[Ti](N(C)C)N(C)C"])
    damaged = valid.flatmap(damaged_text).map(lambda raw: raw.decode("latin1"))
    assert refusals(damaged, lambda smiles: parse_smiles(smiles, "ligand"), 80) >= 40


def test_tables(tmp_path):
    head = {
        "states": "system,state,energy_eV,gibbs_eV,sigma_eV,temperature_K,mass_amu",
        "steps": "system,step,reaction_class,activation_energy_eV,activation_sigma_eV,barrier_source,initial_state,"
        "final_state,lattice,reactive,removes_ligand,removes_cation,status",
        "sites": "system,family,initial_species,density_per_nm2",
    }
    for name, columns in head.items():
        (tmp_path / f"{name}.csv").write_text(columns + "\n")

    def use(raw: bytes):
        (tmp_path / "sites.csv").write_bytes(raw)
        read_tables(tmp_path)

    assert refusals(damaged_text(head["sites"] + "\nA~B~C,surface,free,2.0\n"), use, 40) >= 10


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[1, 2", b"\x80\x04N."])
def test_results(tmp_path, raw):
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
def test_the_command_line_says_one_line_and_exits_with_2(tmp_path, capsys, words):
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


class Bomb:
    """Leaves a file behind when somebody unpickles it."""

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
def test_nothing_is_unpickled(tmp_path, name):
    fired = tmp_path / "fired"
    path = tmp_path / name
    if name.endswith(("npy", "npz")):
        array = np.array([Bomb(fired)], dtype=object)
        np.save(path, array) if name.endswith("npy") else np.savez(path, array)
    else:
        path.write_bytes(pickle.dumps(Bomb(fired), protocol=2))
    for read in (read_structures, read_json, library.read_yaml, load_config, read_mechanism):
        with pytest.raises(QDSurfError):
            read(path)
    assert not fired.exists()


def test_nothing_is_evaluated(tmp_path):
    fired = tmp_path / "fired"
    (tmp_path / "x.yaml").write_text(
        f"seed: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{fired}]]"
    )
    with pytest.raises(QDSurfError, match="not readable as YAML"):
        load_config(tmp_path / "x.yaml")
    code = f"__import__('pathlib').Path('{fired}').touch()"
    xyz = molecule("H2O")
    xyz.info |= {"bonds": code, "formed": code, "key": code}
    write(tmp_path / "x.extxyz", xyz)
    read_structures(tmp_path / "x.extxyz")
    with pytest.raises(QDSurfError):
        library.validate(CalculatorSpec, {"name": "emt", "parameters": code}, "calculator")
    assert not fired.exists()


def test_a_command_from_a_configuration_meets_no_shell(tmp_path, monkeypatch):
    """ASE gives the command of CP2K to a shell; here it is quoted word by word."""
    from qdsurf.calculators import registry

    monkeypatch.setattr(registry.shutil, "which", lambda name: name)
    given = CalculatorSpec(name="cp2k", parameters={"command": f"echo; touch {tmp_path}/fired"})
    assert registry.make_calculator(given).settings["command"] == f"'echo;' touch {tmp_path}/fired"


def test_the_library_itself_is_untouched():
    assert read_reference().molecules  # the readers above share caches with everybody else
