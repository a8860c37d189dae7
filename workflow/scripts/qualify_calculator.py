from qdsurf.energetics.reliability import cations, reaction_errors, read_errors
from qdsurf.qualification.measurements import qualify
from qdsurf.records import library
from qdsurf.relaxation.result import read_results
from qdsurf.report.pages.qualification import qualification_page
from qdsurf.storage.files import write_atomically, write_json

material = library.material(snakemake.wildcards.material)
files = zip(snakemake.params.tests, snakemake.input.relaxed, snakemake.input.results, strict=True)
tests = {test: read_results(relaxed, results) for test, relaxed, results in files}
reactions = reaction_errors(read_errors(snakemake.input.errors), cations(material))

data = qualify(material, tests, reactions)
write_json(snakemake.output.qualification, data)
write_atomically(snakemake.output.page, qualification_page(data))
