"""Verbs that run a calculator: energy, relax, qualify, corrections."""

import time
from argparse import Namespace
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from qdsurf.atomistic.molecules import build_reference
from qdsurf.calculators.registry import assert_supported, describe_calculator, make_calculator, supported_elements
from qdsurf.calculators.single_point import single_point
from qdsurf.cli.files import check_output, read_frames, write_frames
from qdsurf.elementary_steps.selection import select_each
from qdsurf.energetics.barrier_corrections import fit_saddle_correction, summarise_saddles
from qdsurf.energetics.corrections import UNKNOWN_SIGMA_EV, Correction, fit_correction, measure_errors
from qdsurf.energetics.cross_validation import (
    bond_of,
    face_of,
    leave_each_out,
    leave_one_out,
    metal_of,
    summarise_predictions,
)
from qdsurf.energetics.reliability import cations, reaction_errors, read_errors
from qdsurf.errors import CalculationError, InputError, QDSurfError
from qdsurf.qualification.measurements import Outcome, qualify
from qdsurf.qualification.reference_energies import saddle_barriers
from qdsurf.qualification.trial_structures import build_test
from qdsurf.records import library
from qdsurf.records.models import CalculatorSpec, Material
from qdsurf.records.reference_set import Reference, read_reference, read_saddles
from qdsurf.records.settings import QualificationSpec, RelaxSpec
from qdsurf.relaxation.relax import relax_batch
from qdsurf.report.pages.qualification import qualification_page
from qdsurf.surfaces.slab import cut_wide_slab

QUALIFICATION_LAYERS = 4  # the upper two move, so that an outermost layer can leave its neighbour
QUALIFICATION_SEED = 0
REFERENCE_RELAXATION = 0.01, 500  # fmax in eV/A and steps, as the workflow relaxes gas molecules


def _spec(arguments: Namespace) -> CalculatorSpec:
    method = {} if arguments.method is None else {"method": arguments.method}
    return CalculatorSpec(name=arguments.calculator, parameters=dict(arguments.parameter) | method)


def compute_energies(arguments: Namespace) -> tuple[list[dict], list[str]]:
    """Energy, forces and stress of all frames of a file, as they are."""
    frames, spec = read_frames(arguments.file), _spec(arguments)
    for atoms in frames:
        assert_supported(spec, atoms.symbols)
    calculator = make_calculator(spec)
    results, lines = [], [f"{'frame':>5} {'atoms':>6} {'energy (eV)':>16} {'largest force (eV/A)':>21}"]
    for number, atoms in enumerate(frames):
        try:
            point = single_point(atoms, calculator)
        except QDSurfError as error:
            raise type(error)(f"{arguments.file}: frame {number}: {error}") from None
        results.append(point._asdict())
        largest = np.linalg.norm(point.forces_eV_per_A, axis=1).max()
        lines.append(f"{number:5d} {len(atoms):6d} {point.energy_eV:16.6f} {largest:21.4f}")
    return results, lines


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
    """Put a material through every test, and say what the calculator is fit for."""
    spec, material = _spec(arguments), library.material(arguments.material)
    if not material.facets:
        raise InputError(f"materials/{material.name}.yaml: facets: none; a calculator is qualified on the first one")
    settings = QualificationSpec(more_tests=("rattled_bulk", "facets"))
    slab = cut_wide_slab(material, material.facets[0], settings.shortest_vector_A, QUALIFICATION_LAYERS)
    structures = {test: build_test(test, material, slab, settings, QUALIFICATION_SEED) for test in settings.tests}
    for atoms in chain.from_iterable(structures.values()):
        assert_supported(spec, atoms.symbols)
    reactions = reaction_errors(_error_table(arguments.errors, spec, material), cations(material))
    outcomes = {
        test: Outcome(*relax_batch(images, spec, RelaxSpec().fmax_eV_per_A, settings.steps(test), label=test))
        for test, images in structures.items()
    }
    data = qualify(material, outcomes, reactions)
    return data, qualification_page(data).splitlines()


def _error_table(path: str | None, spec: CalculatorSpec, material: Material) -> pd.DataFrame:
    """Errors on the reference reactions: those of a run if there is one, else computed where any has these metals."""
    if path or Path(path := f"results/reference/{spec.folder}/errors.csv").is_file():
        return read_errors(Path(path))
    reference = read_reference()
    elements = {symbol for atoms in reference.geometries.values() for symbol in atoms.symbols}
    return _measure(spec, reference) if elements.intersection(cations(material)) else measure_errors(reference, {})


def measure_corrections(arguments: Namespace) -> tuple[dict, list[str]]:
    """Relax the molecules of the reference set, fit the errors of bonds, and predict what was left out of the fit."""
    spec = _spec(arguments)
    make_calculator(spec)  # so that a wrong name is known before anything is built
    reference = read_reference()
    errors = _measure(spec, reference)
    started = time.perf_counter()
    correction = fit_correction(errors)
    fit_s = time.perf_counter() - started
    data = {
        "calculator": describe_calculator(spec),
        "level": reference.level.label,
        "reference_molecules": len(reference.molecules),
        "reactions": len(reference.measured),
        "measured_reactions": len(correction.errors_eV),
        "widths_eV": asdict(correction.widths),
        "fit_s": fit_s,
        "table": errors.to_dict("records"),
    }
    if not len(correction.errors_eV):
        return data, [
            f"{spec.label}: none of {data['reactions']} reactions could be computed; "
            f"every bond has {UNKNOWN_SIGMA_EV:.0f} eV"
        ]
    left_out = leave_one_out(correction)
    molecules, on_faces = left_out[~left_out["on_face"]], left_out[left_out["on_face"]]
    of_bonds = leave_each_out(correction, bond_of).query("not (on_face or unknown)")
    of_metals = leave_each_out(correction, metal_of).query("not on_face")
    of_faces = summarise_predictions(leave_each_out(correction, face_of))
    of_saddles, saddles = fit_saddle_correction(saddle_barriers(spec), read_saddles()[0].saddles, correction)
    data |= {
        "molecules": summarise_predictions(molecules),
        "surface_states": summarise_predictions(on_faces)
        | {"mae_surface_left_out_eV": of_faces.get("mae_left_out_eV")},
        "saddles": summarise_saddles(saddles, of_saddles),
        "known_bonds": summarise_predictions(molecules[~molecules["new_bond"]]),
        "one_bond_left_out": summarise_predictions(of_bonds),
        "one_metal_left_out": {metal: summarise_predictions(left) for metal, left in of_metals.groupby("left_out")},
        "one_surface_left_out": of_faces,
        "saddle_table": saddles.to_dict("records"),
        "predict_100_steps_s": _time_prediction(correction),
    }
    return data, _corrections_in_words(spec, data, errors, left_out)


def _measure(spec: CalculatorSpec, reference: Reference) -> pd.DataFrame:
    """Relax the molecules that the calculator supports, compute the faces, and compare with the reference."""
    structures = build_reference(reference, supported_elements(spec))
    relaxed, results = relax_batch(structures, spec, *REFERENCE_RELAXATION, label="reference")
    return measure_errors(reference, select_each(structures, relaxed, results))


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
    lines += ["", f"{'left out':<12} {'number':>6} {'raw':>6} {'corrected':>9} {'largest':>7} {'within sigma':>12}"]
    summaries = {
        "one molecule": data["molecules"],
        "known bonds": data["known_bonds"],
        "one bond": data["one_bond_left_out"],
        "one step": data["surface_states"],
        "one surface": data["one_surface_left_out"],
        **data["one_metal_left_out"],
    }
    lines += [
        f"{name:<12} {part['number']:6d} {part['mae_raw_eV']:6.3f} {part['mae_left_out_eV']:9.3f} "
        f"{part['largest_left_out_eV']:7.3f} {part['within_sigma']:12.0%}"
        for name, part in summaries.items()
        if part["number"]
    ]
    lines += ["", f"{'saddle':<28} {'barrier':>8} {'corrected':>9} {'left out':>8} {'reference':>9}  eV"]
    lines += [
        f"{row['saddle']:<28} {row['barrier_eV']:8.3f} {row['corrected_eV']:9.3f} {row['left_out_eV']:8.3f} "
        f"{row['reference_eV']:9.3f}"
        for row in data["saddle_table"]
    ]
    saddles = data["saddles"]
    return [
        *lines,
        "",
        f"barriers take {saddles['share']:.2f} of the correction of their reaction energy; mean absolute error "
        f"{saddles['mae_raw_eV']:.3f} eV raw, {saddles['mae_left_out_eV']:.3f} eV with each saddle left out",
        f"{spec.label} against {data['level']}: {data['reference_molecules']} molecules, {data['measured_reactions']} "
        f"of {data['reactions']} reactions; mean absolute errors in eV; "
        f"100 steps are corrected in {1e3 * data['predict_100_steps_s']:.1f} ms",
    ]
