"""Verbs that run a calculator: relax, qualify, corrections."""

from argparse import Namespace

import numpy as np
from ase import Atoms

from qdsurf import library
from qdsurf.build.bulk import rattle_slab, strained_cells
from qdsurf.build.molecules import build_supported
from qdsurf.build.selection import select_each
from qdsurf.build.slab import cut_slab
from qdsurf.cli.files import check_output, note, read_frames, write_frames
from qdsurf.compute.calculators import describe_calculator, make_calculator, supported_elements
from qdsurf.compute.qualify import qualify
from qdsurf.compute.relax import relax_batch
from qdsurf.config import QualificationSpec, RelaxSpec
from qdsurf.energetics.corrections import measure_errors, typical_errors
from qdsurf.errors import CalculationError, InputError
from qdsurf.records import CalculatorSpec, Material, ReferenceSet

QUALIFICATION_LAYERS = 4  # the upper two move, so that an outermost layer can leave its neighbour
RATTLE_SEED = 0
REFERENCE_RELAXATION = 0.01, 500  # fmax in eV/A and steps, as the workflow relaxes gas molecules
PLACEHOLDER = "none"  # level of a reference reaction that waits for its energy


def _spec(arguments: Namespace) -> CalculatorSpec:
    parameters = {} if arguments.method is None else {"method": arguments.method}
    return CalculatorSpec(name=arguments.calculator, parameters=parameters)


def relax(arguments: Namespace) -> tuple[dict, list[str]]:
    """Relax all frames of a file; one that fails is recorded and does not lose the others."""
    frames = read_frames(arguments.file)
    check_output(arguments.output, len(frames))
    relaxed, results = relax_batch(frames, _spec(arguments), arguments.fmax, arguments.max_steps, label="relax")
    if all(result["energy_eV"] is None for result in results):
        raise CalculationError(f"{arguments.file}: no structure has an energy: {results[0]['reason']}")
    write_frames(arguments.output, relaxed)
    lines = [f"{arguments.output}: {sum(r['converged'] for r in results)} of {len(results)} converged"]
    for number, result in enumerate(results):
        energy = "no energy" if result["energy_eV"] is None else f"{result['energy_eV']:.6f} eV"
        flags = f" [{', '.join(result['flags'])}]" if result["flags"] else ""
        lines.append(f"  {number}: {energy}, {result['force_calls']} force calls, {result['reason']}{flags}")
    return {"file": arguments.output, "results": results}, lines


def qualify_calculator(arguments: Namespace) -> tuple[dict, list[str]]:
    """Compare lattice constant and rattled slab of a material with the crystal."""
    spec, settings = _spec(arguments), QualificationSpec()
    material = library.material(arguments.material)
    slabs = rattle_slab(_test_slab(material, settings.shortest_vector_A), settings.rattle_A, RATTLE_SEED)
    cells = strained_cells(material, settings.strains, settings.shortest_vector_A)
    _, strained = relax_batch(cells, spec, max_steps=0, label="strained bulk")
    relaxed, results = relax_batch(slabs, spec, RelaxSpec().fmax_eV_per_A, settings.max_steps, label="rattled slab")
    data = qualify(material.name, strained, settings.strains, slabs, relaxed, results)
    return data, [
        f"{material.name} with {spec.label}: the substrate should be {data['substrate']}",
        f"  lattice constant: {data['lattice_constant']}",
        f"  rattled slab: {data['stability']['reason']}",
    ]


def _test_slab(material: Material, shortest_vector: float) -> Atoms:
    """The first facet on record, wide enough for a calculator that sees the Gamma point only."""
    if not material.facets:
        raise InputError(f"materials/{material.name}.yaml: facets: none; a calculator is qualified on the first one")
    facet = material.facets[0]
    cell = cut_slab(material, facet, QUALIFICATION_LAYERS).cell.lengths()[:2]
    repeats = np.ceil(shortest_vector / cell - 1e-9).astype(int)
    return cut_slab(material, facet, QUALIFICATION_LAYERS, (int(repeats[0]), int(repeats[1])))


def measure_corrections(arguments: Namespace) -> tuple[dict, list[str]]:
    """Relax the molecules of the reference set and compare their reaction energies with the reference."""
    spec = _spec(arguments)
    make_calculator(spec)  # so that a wrong name is known before anything is built
    reference = _known_reference()
    molecules = build_supported(reference.molecules, supported_elements(spec))
    relaxed, results = relax_batch(molecules, spec, *REFERENCE_RELAXATION, label="reference")
    errors = measure_errors(reference, select_each(molecules, relaxed, results))
    sigma = typical_errors(errors)
    measured = set(errors.loc[errors["error_eV"].notna(), "kind"])
    lines = [f"{'reaction':<36} {'kind':<8} {'energy':>8} {'reference':>9} {'error':>7}  eV"]
    lines += [
        f"{row.reaction:<36} {row.kind:<8} {row.energy_eV:8.3f} {row.reference_eV:9.3f} {row.error_eV:+7.3f}"
        for row in errors.itertuples()
    ]
    typical = ", ".join(
        f"{kind} {value:.3f} eV{'' if kind in measured else ' (prior: nothing could be measured)'}"
        for kind, value in sigma.items()
    )
    lines.append(f"{spec.label}, root mean square error: {typical}")
    data = {"calculator": describe_calculator(spec), "sigma_eV": sigma, "reactions": errors.to_dict("records")}
    return data, lines


def _known_reference() -> ReferenceSet:
    """The reactions of the reference set that have an energy, with their molecules.

    Raises
    ------
    InputError : none has; an error against a placeholder would be an invention.
    """
    full = library.reference_set()
    reactions = tuple(reaction for reaction in full.reactions if reaction.level != PLACEHOLDER)
    missing = len(full.reactions) - len(reactions)
    words = f"{missing} of {len(full.reactions)} reactions have no reference energy (level: {PLACEHOLDER})"
    if not reactions:
        path = library.STRUCTURES / "reference" / "gas_reactions.yaml"
        raise InputError(f"{path}: {words}; fill them in before a calculator is measured against them")
    if missing:
        note(f"{words} and are left out")
    needed = {name for reaction in reactions for name in reaction.stoichiometry}
    return ReferenceSet(molecules=tuple(m for m in full.molecules if m.name in needed), reactions=reactions)
