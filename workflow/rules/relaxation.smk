# Relaxation: the base rules that every stage specialises, with their resources. Gas molecules and surfaces have a state;
# the structures of the reference set and of the qualification only have energies.
MOLECULE = layout.molecule("{calculator}", "{molecule}")
SLAB = layout.slab("{slab}")
REFERENCE = layout.reference("{calculator}")


rule relax_molecule:
    input:
        candidates=MOLECULE.candidates,
    output:
        **MOLECULE.selection,
    log:
        "logs/relax_molecule/{calculator}/{molecule}.log",
    conda:
        "../envs/qdsurf.yaml"
    resources:
        timeout_s=timeout(MOLECULE_STEPS),
        mem_mb=memory(),
        runtime=minutes(RELAXATION_CALLS),
    params:
        calculator=settings_of,
        fmax=0.01,
        max_steps=MOLECULE_STEPS,
        keep=None,
        code=code_version("relaxation.relax", "relaxation.selection"),
    message:
        "Relax {wildcards.molecule} with {wildcards.calculator}"
    script:
        "../scripts/relax_state.py"


use rule relax_molecule as relax_slab with:
    input:
        candidates=SLAB.candidates,
    output:
        **SLAB.selection,
    log:
        "logs/relax_slab/{slab}.log",
    params:
        calculator=settings_of,
        fmax=RELAX.fmax_eV_per_A,
        max_steps=RELAX.max_steps,
        keep=RELAX.keep,
        code=code_version("relaxation.relax", "relaxation.selection"),
    message:
        "Relax the slab {wildcards.slab}"


rule relax_reference:
    input:
        candidates=REFERENCE.candidates,
    output:
        **REFERENCE.relaxation,
    log:
        "logs/relax_reference/{calculator}.log",
    conda:
        "../envs/qdsurf.yaml"
    resources:
        timeout_s=timeout(MOLECULE_STEPS),
        mem_mb=memory(),
        runtime=minutes(RELAXATION_CALLS),
    params:
        calculator=settings_of,
        fmax=0.01,
        max_steps=MOLECULE_STEPS,
        keep=None,
        code=code_version("relaxation.relax", "elementary_steps.state_check"),
    message:
        "Relax the molecules of the reference reactions with {wildcards.calculator}"
    script:
        "../scripts/relax_structures.py"


# Where the configuration asks for a better method: single points at the geometries of the calculator.
use rule relax_reference as refine_state with:
    input:
        candidates=layout.job("{refined_job}").structure,
    output:
        **layout.job("{refined_job}").refined,
    log:
        "logs/refine_state/{refined_job}.log",
    resources:
        timeout_s=timeout(REFINING_CALLS, refining_calculator),
        mem_mb=memory(refining_calculator),
        runtime=minutes(REFINING_CALLS, refining_calculator),
    params:
        calculator=PLAN.config.refine and PLAN.config.refine.model_dump(),
        fmax=0,
        max_steps=0,
        keep=None,
        code=code_version("relaxation.relax", "elementary_steps.state_check"),
    message:
        "Compute the energy of {wildcards.refined_job} with the better method"


rule find_modes:
    input:
        structure=MOLECULE.structure,
    output:
        modes=MOLECULE.modes,
    log:
        "logs/find_modes/{calculator}/{molecule}.log",
    conda:
        "../envs/qdsurf.yaml"
    resources:
        timeout_s=timeout(MODES_CALLS),
        mem_mb=memory(),
        runtime=minutes(MODES_CALLS),
    params:
        calculator=settings_of,
        code=code_version("relaxation.vibrations"),
    message:
        "Compute the normal modes of {wildcards.molecule} with {wildcards.calculator}"
    script:
        "../scripts/find_modes.py"


use rule find_modes as find_surface_modes with:
    input:
        structure=layout.job("{state_job}").structure,
    output:
        modes=layout.job("{state_job}").modes,
    log:
        "logs/find_surface_modes/{state_job}.log",
    message:
        "Compute the partial Hessian of {wildcards.state_job}"
