from qdsurf.energetics.reliability import cations, reaction_errors, read_errors
from qdsurf.qualification.measurements import Outcome, qualify
from qdsurf.records import library
from qdsurf.report.pages.qualification import qualification_page
from qdsurf.storage.files import read_json, write_atomically, write_json
from qdsurf.storage.structures import read_structures

material = library.material(snakemake.wildcards.material)
files = zip(snakemake.params.tests, snakemake.input.relaxed, snakemake.input.results, strict=True)
tests = {test: Outcome(read_structures(relaxed), read_json(results)) for test, relaxed, results in files}
data = qualify(material, tests, reaction_errors(read_errors(snakemake.input.errors), cations(material)))
write_json(snakemake.output.qualification, data)
write_atomically(snakemake.output.page, qualification_page(data))
