"""The figures of the report: tables in, a matplotlib figure out, `save` writes it as SVG and PNG."""

from qdsurf.report.control import plot_control
from qdsurf.report.coverages import plot_coverages
from qdsurf.report.profile import plot_energy_profile
from qdsurf.report.ranking import plot_ranking
from qdsurf.report.saddle import plot_saddle
from qdsurf.report.saturation import plot_saturation
from qdsurf.report.selectivity import plot_selectivity
from qdsurf.report.selectivity_map import plot_selectivity_map
from qdsurf.report.style import save, write

__all__ = [
    "plot_control",
    "plot_coverages",
    "plot_energy_profile",
    "plot_ranking",
    "plot_saddle",
    "plot_saturation",
    "plot_selectivity",
    "plot_selectivity_map",
    "save",
    "write",
]
