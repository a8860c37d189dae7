from qdsurf.records import library
from qdsurf.report.figures.kinetics import plot_energy_profile, plot_kinetics, save
from qdsurf.report.pages.viewer import write_page
from qdsurf.storage.files import read_table
from qdsurf.storage.structures import read_reason, read_structures

given, shown, system = snakemake.input, snakemake.output, snakemake.wildcards.system
tables = {name: read_table(given[name]) for name in snakemake.params.tables}
unrefined = tuple(map(read_table, given.unrefined))
figures = plot_kinetics(tables, library.read_record(given.recipe, library.Recipe), system)
figures["profile"] = plot_energy_profile(tables["states"], tables["steps"], system, unrefined)
for name, figure in figures.items():
    save(figure, shown[name].removesuffix(".svg"))
rooms = zip(snakemake.params.rooms, given.structures, strict=True)
write_page({name: (read_structures(path) or [read_reason(path)])[-1] for name, path in rooms}, shown.structures)
