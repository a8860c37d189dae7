"""The figures of the report: tables in, a matplotlib figure out, `save` writes it as SVG and PNG."""

from qdsurf.report.coverages import plot_coverages
from qdsurf.report.profile import plot_energy_profile
from qdsurf.report.selectivity import plot_selectivity
from qdsurf.report.style import save, write

__all__ = ["plot_coverages", "plot_energy_profile", "plot_selectivity", "save", "write"]
