from qdsurf.records import library
from qdsurf.report.figures.kinetics import plot_kinetics
from qdsurf.report.figures.profile import plot_energy_profile
from qdsurf.report.figures.style import write_svg_and_png
from qdsurf.report.pages.viewer import write_structure_page
from qdsurf.storage.files import read_table
from qdsurf.storage.structures import read_reason, read_structures

system = snakemake.wildcards.system
tables = {name: read_table(snakemake.input[name]) for name in snakemake.params.tables}
unrefined = tuple(map(read_table, snakemake.input.unrefined)) or None
recipe = library.read_record(snakemake.input.recipe, library.Recipe)

figures = plot_kinetics(tables, recipe, system)
figures["profile"] = plot_energy_profile(tables["states"], tables["steps"], system, unrefined)
for name, figure in figures.items():
    write_svg_and_png(figure, snakemake.output[name].removesuffix(".svg"))

states = {}
for name, path in zip(snakemake.params.states, snakemake.input.structures, strict=True):
    structures = read_structures(path)
    states[name] = structures[-1] if structures else read_reason(path)
write_structure_page(states, snakemake.output.structures)
