"""Verbs that run a calculator: energy, relax, qualify, corrections."""

import time
from argparse import Namespace
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from qdsurf.atomistic.molecules import build_reference
from qdsurf.calculators.registry import assert_supported, describe_calculator, make_calculator, supported_elements
from qdsurf.calculators.single_point import single_point
from qdsurf.cli.files import check_output, read_frames, write_frames
from qdsurf.cli.verb_result import VerbResult
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
from qdsurf.qualification.measurements import qualify
from qdsurf.qualification.reference_energies import saddle_barriers
from qdsurf.qualification.trial_structures import build_test
from qdsurf.records import library
from qdsurf.records.models import CalculatorSpec, Material
from qdsurf.records.reference_set import Reference, read_reference, read_saddles
from qdsurf.records.settings import QualificationSpec, RelaxSpec
from qdsurf.relaxation.relax import relax_batch
from qdsurf.relaxation.result import RelaxationResult
from qdsurf.relaxation.selection import molecule_energies
from qdsurf.report.pages.qualification import qualification_page
from qdsurf.surfaces.slab import cut_wide_slab

QUALIFICATION_LAYERS = 4  # The upper two move, so that the outermost layer can separate from the next one.
QUALIFICATION_SEED = 0
# Largest force at convergence in eV/A and number of steps for molecules, as in the workflow.
REFERENCE_FMAX, REFERENCE_STEPS = 0.01, 500


def compute_energies(arguments: Namespace) -> VerbResult:
    """Compute energy, forces and stress of all frames of a file without moving an atom.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of `qdsurf energy`.

    Returns
    -------
    VerbResult
        For each frame an object with the fields of `SinglePoint`.

    Raises
    ------
    InputError
        The file or the calculator is wrong.
    UnsupportedElementError
        The calculator has no parameters for an element.
    CalculationError
        The calculator failed.
    """
    frames = read_frames(arguments.file)
    spec = _calculator_spec(arguments)
    for atoms in frames:
        assert_supported(spec, atoms.symbols)
    calculator = make_calculator(spec)
    data = []
    lines = [f"{'frame':>5} {'atoms':>6} {'energy (eV)':>16} {'largest force (eV/A)':>21}"]
    for number, atoms in enumerate(frames):
        try:
            point = single_point(atoms, calculator)
        except QDSurfError as error:
            raise type(error)(f"{arguments.file}: frame {number}: {error}") from None
        data.append(point._asdict())
        largest = np.linalg.norm(point.forces_eV_per_A, axis=1).max()
        lines.append(f"{number:5d} {len(atoms):6d} {point.energy_eV:16.6f} {largest:21.4f}")
    return VerbResult(data, lines)


def relax(arguments: Namespace) -> VerbResult:
    """Relax all frames of a file. A frame that fails is recorded, and the others are still relaxed.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of `qdsurf relax`.

    Returns
    -------
    VerbResult
        `file`, and `results` with one object for each frame, see `RelaxationResult`.

    Raises
    ------
    InputError
        The file, the calculator or the output file is wrong.
    UnsupportedElementError
        The calculator has no parameters for an element.
    CalculationError
        No frame has an energy.
    """
    frames = read_frames(arguments.file)
    check_output(arguments.output, len(frames))
    results = relax_batch(
        frames,
        _calculator_spec(arguments),
        arguments.fmax,
        arguments.max_steps,
        label=f"relax {arguments.file}",
        timeout_s=arguments.timeout,
    )
    if all(result.energy_eV is None for result in results):
        raise CalculationError(f"{arguments.file}: no structure has an energy: {results[0].reason}")
    write_frames(arguments.output, [result.atoms for result in results])
    lines = [f"{arguments.output}: {sum(result.converged for result in results)} of {len(results)} converged"]
    for number, result in enumerate(results):
        energy = "no energy" if result.energy_eV is None else f"{result.energy_eV:.6f} eV"
        flags = f" [{', '.join(result.flags)}]" if result.flags else ""
        lines.append(f"  {number}: {energy}, {result.force_calls} force calls, {result.reason}{flags}")
    return VerbResult({"file": arguments.output, "results": [result.as_record() for result in results]}, lines)


def qualify_calculator(arguments: Namespace) -> VerbResult:
    """Run all tests of a calculator on one material and report the uses that it qualifies for.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of `qdsurf qualify`.

    Returns
    -------
    VerbResult
        Data of `qualification.measurements.qualify`, and a page in Markdown as text.

    Raises
    ------
    InputError
        A name or a file is wrong, or the material has no facet on record.
    UnsupportedElementError
        The calculator has no parameters for an element.
    """
    spec = _calculator_spec(arguments)
    material = library.material(arguments.material)
    if not material.facets:
        raise InputError(
            f"materials/{material.name}.yaml: facets: none; add one, because the tests use the first facet"
        )
    settings = QualificationSpec(more_tests=("rattled_bulk", "facets"))
    slab = cut_wide_slab(material, material.facets[0], settings.shortest_vector_A, QUALIFICATION_LAYERS)
    structures = {test: build_test(test, material, slab, settings, QUALIFICATION_SEED) for test in settings.tests}
    for atoms in chain.from_iterable(structures.values()):
        assert_supported(spec, atoms.symbols)
    reactions = reaction_errors(_reference_errors(arguments.errors, spec, material), cations(material))
    outcomes: dict[str, list[RelaxationResult]] = {}
    for test, images in structures.items():
        fmax, max_steps = RelaxSpec().fmax_eV_per_A, settings.steps(test)
        outcomes[test] = relax_batch(images, spec, fmax, max_steps, label=f"qualify {test}")
    data = qualify(material, outcomes, reactions)
    return VerbResult(data, qualification_page(data).splitlines())


def _reference_errors(path: str | None, spec: CalculatorSpec, material: Material) -> pd.DataFrame:
    """Return the errors for the reference reactions: from a file, from a run, or computed.

    They are computed only if a reference molecule contains a cation of the material. Otherwise the table is empty.
    """
    if path is not None:
        return read_errors(Path(path))
    of_run = Path(f"results/reference/{spec.folder}/errors.csv")
    if of_run.is_file():
        return read_errors(of_run)
    reference = read_reference()
    elements = {symbol for atoms in reference.geometries.values() for symbol in atoms.symbols}
    if elements.isdisjoint(cations(material)):
        return measure_errors(reference, {})
    return _compute_reference_errors(spec, reference)


def measure_corrections(arguments: Namespace) -> VerbResult:
    """Relax the molecules of the reference set, fit bond corrections, and test them by cross-validation.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of `qdsurf corrections`.

    Returns
    -------
    VerbResult
        Widths of the fit, errors of all reactions and saddles, and summaries of the cross-validation, in eV.

    Raises
    ------
    InputError
        The calculator is wrong.
    """
    spec = _calculator_spec(arguments)
    make_calculator(spec)  # A wrong name is reported before any structure is built.
    reference = read_reference()
    errors = _compute_reference_errors(spec, reference)
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
        line = (
            f"{spec.label}: none of the {data['reactions']} reactions could be computed; the uncertainty of every bond "
            f"is {UNKNOWN_SIGMA_EV:.0f} eV"
        )
        return VerbResult(data, [line])
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
    lines = [*_reaction_table(errors, left_out), "", *_cross_validation_table(data), "", *_saddle_table(data), ""]
    saddle_summary = data["saddles"]
    lines.append(
        f"corrections of barriers are {saddle_summary['share']:.2f} of those of the reaction energies; mean absolute "
        f"error {saddle_summary['mae_raw_eV']:.3f} eV raw, {saddle_summary['mae_left_out_eV']:.3f} eV with each saddle "
        "left out"
    )
    lines.append(
        f"{spec.label} against {data['level']}: {data['reference_molecules']} molecules, {data['measured_reactions']} "
        f"of {data['reactions']} reactions; mean absolute errors in eV; "
        f"100 steps are corrected in {1e3 * data['predict_100_steps_s']:.1f} ms"
    )
    return VerbResult(data, lines)


def _calculator_spec(arguments: Namespace) -> CalculatorSpec:
    """Return the calculator that --calculator, --method and --parameter describe."""
    method = {} if arguments.method is None else {"method": arguments.method}
    return CalculatorSpec(name=arguments.calculator, parameters=dict(arguments.parameter) | method)


def _compute_reference_errors(spec: CalculatorSpec, reference: Reference) -> pd.DataFrame:
    """Relax the molecules that the calculator supports and compare the reaction energies with the reference."""
    structures = build_reference(reference, supported_elements(spec))
    results = relax_batch(structures, spec, REFERENCE_FMAX, REFERENCE_STEPS, label="relax reference")
    return measure_errors(reference, molecule_energies(structures, results))


def _time_prediction(correction: Correction) -> float:
    """Measure the time in s for the correction of a network of 100 steps, including the matrix factorisation."""
    without_cache = replace(correction)
    changes = [
        dict(zip(correction.bonds, row, strict=True))
        for row in np.resize(correction.counts, (100, len(correction.bonds)))
    ]
    started = time.perf_counter()
    without_cache.predict(changes)
    return time.perf_counter() - started


def _reaction_table(errors: pd.DataFrame, left_out: pd.DataFrame) -> list[str]:
    """Return one line for each reference reaction, with its residual if it is left out of the fit."""
    lines = [f"{'reaction':<28} {'energy':>8} {'reference':>9} {'error':>7} {'left out':>8}  eV"]
    residuals = []
    for row in left_out.itertuples():
        new_bond = " new bond" if row.new_bond else ""
        residuals.append(f"{row.error_eV - row.predicted_eV:+8.3f} +- {row.sigma_eV:.2f}{new_bond}")
    remaining = iter(residuals)  # in the order of the reactions that could be computed
    for row in errors.itertuples():
        line = f"{row.reaction:<28} {row.energy_eV:8.3f} {row.reference_eV:9.3f} {row.error_eV:+7.3f}"
        lines.append(line if np.isnan(row.error_eV) else f"{line} {next(remaining)}")
    return lines


def _cross_validation_table(data: dict[str, Any]) -> list[str]:
    """Return one line for each kind of cross-validation."""
    summaries = {
        "one molecule": data["molecules"],
        "known bonds": data["known_bonds"],
        "one bond": data["one_bond_left_out"],
        "one step": data["surface_states"],
        "one surface": data["one_surface_left_out"],
        **data["one_metal_left_out"],
    }
    lines = [f"{'left out':<12} {'number':>6} {'raw':>6} {'corrected':>9} {'largest':>7} {'within sigma':>12}"]
    for name, part in summaries.items():
        if part["number"]:
            lines.append(
                f"{name:<12} {part['number']:6d} {part['mae_raw_eV']:6.3f} {part['mae_left_out_eV']:9.3f} "
                f"{part['largest_left_out_eV']:7.3f} {part['within_sigma']:12.0%}"
            )
    return lines


def _saddle_table(data: dict[str, Any]) -> list[str]:
    """Return one line for each reference saddle."""
    lines = [f"{'saddle':<28} {'barrier':>8} {'corrected':>9} {'left out':>8} {'reference':>9}  eV"]
    for row in data["saddle_table"]:
        lines.append(
            f"{row['saddle']:<28} {row['barrier_eV']:8.3f} {row['corrected_eV']:9.3f} {row['left_out_eV']:8.3f} "
            f"{row['reference_eV']:9.3f}"
        )
    return lines
