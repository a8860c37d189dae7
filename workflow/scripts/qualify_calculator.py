from qdsurf import library
from qdsurf.compute.qualify import Outcome, qualify
from qdsurf.energetics.reliability import cations, reaction_errors, read_errors
from qdsurf.report.qualification import qualification_page
from qdsurf.structure_io import read_json, read_structures, write_atomically, write_json

material = library.material(snakemake.wildcards.material)
files = zip(snakemake.params.tests, snakemake.input.relaxed, snakemake.input.results, strict=True)
tests = {test: Outcome(read_structures(relaxed), read_json(results)) for test, relaxed, results in files}
data = qualify(material, tests, reaction_errors(read_errors(snakemake.input.errors), cations(material)))
write_json(snakemake.output.qualification, data)
write_atomically(snakemake.output.page, qualification_page(data))
