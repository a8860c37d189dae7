"""Verbs that run a calculator: relax, qualify, corrections."""

import time
from argparse import Namespace
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
from ase import Atoms

from qdsurf import library
from qdsurf.build.bulk import rattle_slab, strained_cells
from qdsurf.build.molecules import build_reference
from qdsurf.build.selection import select_each
from qdsurf.build.slab import cut_slab
from qdsurf.cli.files import check_output, read_frames, write_frames
from qdsurf.compute.calculators import describe_calculator, make_calculator, supported_elements
from qdsurf.compute.qualify import qualify
from qdsurf.compute.relax import relax_batch
from qdsurf.config import QualificationSpec, RelaxSpec
from qdsurf.energetics.corrections import (
    Correction,
    fit_correction,
    leave_one_out,
    leave_out,
    measure_errors,
    reactions_of_metals,
    summarise_left_out,
)
from qdsurf.errors import CalculationError, InputError
from qdsurf.records import CalculatorSpec, Material
from qdsurf.reference import read_reference

QUALIFICATION_LAYERS = 4  # the upper two move, so that an outermost layer can leave its neighbour
RATTLE_SEED = 0
REFERENCE_RELAXATION = 0.01, 500  # fmax in eV/A and steps, as the workflow relaxes gas molecules


def _spec(arguments: Namespace) -> CalculatorSpec:
    parameters = {} if arguments.method is None else {"method": arguments.method}
    return CalculatorSpec(name=arguments.calculator, parameters=parameters)


def relax(arguments: Namespace) -> tuple[dict, list[str]]:
    """Relax all frames of a file; one that fails is recorded and does not lose the others."""
    frames = read_frames(arguments.file)
    check_output(arguments.output, len(frames))
    relaxed, results = relax_batch(
        frames, _spec(arguments), arguments.fmax, arguments.max_steps, label="relax", timeout_s=arguments.timeout
    )
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
    """Relax the molecules of the reference set, fit the errors of bonds, and predict what was left out of the fit."""
    spec = _spec(arguments)
    make_calculator(spec)  # so that a wrong name is known before anything is built
    reference = read_reference()
    molecules = build_reference(reference, supported_elements(spec))
    relaxed, results = relax_batch(molecules, spec, *REFERENCE_RELAXATION, label="reference")
    errors = measure_errors(reference, select_each(molecules, relaxed, results))
    started = time.perf_counter()
    correction = fit_correction(errors)
    fit_s = time.perf_counter() - started
    data = {
        "calculator": describe_calculator(spec),
        "level": reference.level.label,
        "molecules": len(reference.molecules),
        "reactions": len(reference.reactions),
        "measured_reactions": len(correction.errors_eV),
        "widths_eV": asdict(correction.widths),
        "fit_s": fit_s,
        "table": errors.to_dict("records"),
    }
    if not len(correction.errors_eV):
        return data, [
            f"{spec.label}: none of {data['reactions']} reactions could be computed; every bond has a wide prior"
        ]
    left_out = leave_one_out(correction)
    data |= {
        "leave_one_out": summarise_left_out(left_out),
        "leave_one_out_known_bonds": summarise_left_out(left_out[~left_out["new_bond"]]),
        "leave_one_metal_out": {
            metal: summarise_left_out(leave_out(correction, group)) for metal, group in reactions_of_metals(correction)
        },
        "predict_100_steps_s": _time_prediction(correction),
    }
    return data, _corrections_in_words(spec, data, errors, left_out)


def _time_prediction(correction: Correction) -> float:
    """Seconds for the correction of a network of a hundred steps, the factorisation included."""
    fresh = replace(correction)
    changes = [
        dict(zip(correction.bonds, row, strict=True))
        for row in np.resize(correction.counts, (100, len(correction.bonds)))
    ]
    started = time.perf_counter()
    fresh.predict(changes)
    return time.perf_counter() - started


def _corrections_in_words(spec: CalculatorSpec, data: dict, errors: pd.DataFrame, left_out: pd.DataFrame) -> list[str]:
    lines = [f"{'reaction':<28} {'energy':>8} {'reference':>9} {'error':>7} {'left out':>8}  eV"]
    residual = iter(
        f"{row.error_eV - row.predicted_eV:+8.3f} +- {row.sigma_eV:.2f}{' new bond' if row.new_bond else ''}"
        for row in left_out.itertuples()
    )
    for row in errors.itertuples():
        words = f"{row.reaction:<28} {row.energy_eV:8.3f} {row.reference_eV:9.3f} {row.error_eV:+7.3f}"
        lines.append(words if np.isnan(row.error_eV) else f"{words} {next(residual)}")
    lines += ["", f"{'left out':<11} {'reactions':>9} {'raw':>6} {'corrected':>9} {'largest':>7} {'within sigma':>12}"]
    summaries = {"each one": data["leave_one_out"], "known bonds": data["leave_one_out_known_bonds"]}
    for name, part in {**summaries, **data["leave_one_metal_out"]}.items():
        lines.append(
            f"{name:<11} {part['reactions']:9d} {part['raw_mae_eV']:6.3f} {part['corrected_mae_eV']:9.3f} "
            f"{part['corrected_largest_eV']:7.3f} {part['coverage_68']:12.0%}"
        )
    return [
        *lines,
        "",
        f"{spec.label} against {data['level']}: {data['molecules']} molecules, {data['measured_reactions']} of "
        f"{data['reactions']} reactions; mean absolute errors in eV; "
        f"100 steps are corrected in {1e3 * data['predict_100_steps_s']:.1f} ms",
    ]
