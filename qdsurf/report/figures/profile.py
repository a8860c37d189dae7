"""Energy profile of one system: reactions of the precursor with the crystal and with the ligands on one energy axis."""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.typing import ColorType

from qdsurf.report.figures import style
from qdsurf.report.figures.routes import START, Level, energy_levels, with_unrefined
from qdsurf.report.system_names import parse_system
from qdsurf.report.tables import rows_of

# Widths along the axis, in slots. Each state has one slot.
_START_SLOT, _GAP, _BAR, _SADDLE = 0.72, 0.30, 0.62, 0.18
# Sizes in inch.
_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT, _SLOT_MIN, _SLOT_MAX = 0.52, 0.10, 0.52, 0.30, 2.9, 0.59, 0.95
_WIDTH_MIN, _NOTE_LINE = 5.4, 0.13
# Sizes in points: the space for a number, for a line of a label, and for the name of a route.
_VALUE_PT, _LINE_PT, _HEAD_PT = 9.0, 8.2, 27.0
_LABEL_PT, _SADDLE_LABEL_PT = 6.5, 6.0
_RANGE_MIN_EV = 0.5  # smallest range of the energy axis without the space for labels
_RAW: dict[str, Any] = {"linewidth": 1.0, "linestyle": (0, (1, 1.2))}
_UNREFINED: dict[str, Any] = {"marker": "o", "markersize": 3, "capsize": 2, "linewidth": 0.8, "zorder": 6}

Routes = dict[str, list[Level]]  # levels by class of reaction


@dataclass(frozen=True)
class _Layout:
    """Axes of a profile and the scales in both directions.

    `slot_centres` contains the centre of the slot of each state. The start of each route has the key from `_start_of`.
    """

    axes: Axes
    slot_centres: dict[str, float]
    slot_in: float
    eV_per_pt: float


@style.styled
def plot_energy_profile(
    states: pd.DataFrame,
    steps: pd.DataFrame,
    system: str,
    unrefined: tuple[pd.DataFrame, pd.DataFrame] | None = None,
) -> Figure:
    """Draw the reaction routes of one system side by side on one energy axis.

    Each route starts at the ligated surface with the precursor in the gas phase, which defines zero. A bar is a state,
    and the shade is its standard deviation. A dotted bar is the same state before the correction of the calculator.
    Thin lines connect states, through the saddle point if the step has one. A state without an energy is an open dashed
    box without connections, and the reason is below the figure.

    Parameters
    ----------
    states, steps : pandas.DataFrame
        Tables `results/energetics/states.csv` and `results/energetics/steps.csv` for any number of systems, energies
        in eV.
    system : str
        Name of the system to draw.
    unrefined : tuple of two pandas.DataFrame, optional
        States and steps at the level of theory of the geometries, if `states` and `steps` contain energies at a better
        level. In this case, dotted bars are uncorrected energies at the level of the geometries, and markers with error
        bars are corrected ones.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    InputError
        The system is not in the tables, or a column is missing.
    """
    name = parse_system(system) if "~" in system else None
    levels = energy_levels(states, steps, system)
    if unrefined is not None:
        levels = with_unrefined(levels, energy_levels(*unrefined, system))
    routes = _routes(levels)
    slots = sum(_START_SLOT + len(route) + _GAP for route in routes.values()) - _GAP
    slot_in = min(_SLOT_MAX, max(_SLOT_MIN, (style.DOUBLE_COLUMN_IN - _LEFT - _RIGHT) / max(slots, 1)))
    width = max(_LEFT + slots * slot_in + _RIGHT, _WIDTH_MIN)
    notes = _missing_state_notes(levels, width - _LEFT - _RIGHT)
    bottom = _BOTTOM + _NOTE_LINE * len(notes) + (0.06 if notes else 0)

    figure = style.canvas(width, bottom + _HEIGHT + _TOP)
    axes = style.axes_at(figure, _LEFT, bottom, width - _LEFT - _RIGHT, _HEIGHT)
    axes.set_xlim(0, axes.get_position().width * figure.get_figwidth() / slot_in)
    layout = _Layout(axes, _slot_centres(routes), slot_in, _set_energy_range(axes, routes))
    _label_axes(axes, name.precursor if name else "precursor")
    for reaction_class, route in routes.items():
        _draw_route(layout, reaction_class, route)
    _draw_legend(figure, axes, rows_of(states, system, "states"), levels)
    title = name.label if name else system
    height = figure.get_figheight()
    figure.text(_LEFT / width, 1 - 0.06 / height, title, va="top", weight="bold", fontsize=style.TEXT_PT)
    for line, text in enumerate(reversed(notes)):
        position = _LEFT / width, (0.05 + _NOTE_LINE * line) / height
        figure.text(*position, text, fontsize=_LABEL_PT, color=style.GREY, va="bottom")
    return figure


def _routes(levels: list[Level]) -> Routes:
    """Sort levels by class of reaction, in the order of the colours. Classes without levels are omitted."""
    routes: Routes = {}
    for reaction_class in style.CLASS_COLOURS:
        route = [level for level in levels if level.reaction_class == reaction_class]
        if route:
            routes[reaction_class] = route
    return routes


def _missing_state_notes(levels: list[Level], width_in: float) -> list[str]:
    """Lines of text below the figure with the reasons why states are missing."""
    missing = [
        f"{style.with_spaces(level.state)} ({style.with_spaces(level.reason)})" for level in levels if not level.found
    ]
    if not missing:
        return []
    return style.wrap(f"Not found: {'; '.join(missing)}.", width_in, _LABEL_PT, 4).split("\n")


def _start_of(reaction_class: str) -> str:
    """Key of the start of a route in the slots of a layout."""
    return f"{START}:{reaction_class}"


def _slot_centres(routes: Routes) -> dict[str, float]:
    """Compute the centre of the slot of every start and state, in slots."""
    centres: dict[str, float] = {}
    edge = 0.0
    for reaction_class, route in routes.items():
        centres[_start_of(reaction_class)] = edge + _START_SLOT / 2
        for index, level in enumerate(route):
            centres[level.state] = edge + _START_SLOT + index + 0.5
        edge += _START_SLOT + len(route) + _GAP
    return centres


def _set_energy_range(axes: Axes, routes: Routes) -> float:
    """Set the limits of the energy axis so that every label has space. Return the scale in eV per point."""
    bottoms, tops = [0.0], [0.0]
    for level in (level for route in routes.values() for level in route if level.found):
        sigma, saddle_sigma = _or_zero(level.sigma_eV), _or_zero(level.saddle_sigma_eV)
        unrefined_sigma = _or_zero(level.unrefined_sigma_eV)
        bottoms += [level.energy_eV - sigma, level.unrefined_eV - unrefined_sigma]
        tops += [level.energy_eV + sigma, level.unrefined_eV + unrefined_sigma, level.saddle_eV + saddle_sigma]
        for energies in (bottoms, tops):
            energies += [level.gibbs_eV, level.raw_eV]
    low = min(energy for energy in bottoms if math.isfinite(energy))
    high = max(energy for energy in tops if math.isfinite(energy))
    height = max(high - low, _RANGE_MIN_EV)
    below_pt, above_pt = 4 + 3.4 * _LINE_PT, _HEAD_PT + _VALUE_PT
    eV_per_pt = height / (_HEIGHT * style.POINTS_PER_INCH - below_pt - above_pt)
    axes.set_ylim(low - below_pt * eV_per_pt, low + height + above_pt * eV_per_pt)
    return eV_per_pt


def _label_axes(axes: Axes, precursor: str) -> None:
    """Draw the line of zero energy and label the axes."""
    axes.axhline(0, color=style.PALE, linewidth=0.6, zorder=0)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_xlabel("reaction coordinate (states in order, not to scale)", labelpad=3)
    axes.set_ylabel(f"energy relative to ligated surface + {precursor}(g) (eV)")


def _or_zero(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _draw_route(layout: _Layout, reaction_class: str, route: list[Level]) -> None:
    """Draw start, states and connections of one class of reactions, with the name of the class above them."""
    axes, colour = layout.axes, style.CLASS_COLOURS[reaction_class]
    start = layout.slot_centres[_start_of(reaction_class)]
    axes.annotate(
        reaction_class.replace("-", "–"),
        (start - _START_SLOT / 2, 1),
        (2, -2),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        va="top",
        color=colour,
        weight="bold",
    )
    start_bar = _BAR * _START_SLOT
    axes.plot(
        [start - start_bar / 2, start + start_bar / 2], [0, 0], color=style.INK, linewidth=2, solid_capstyle="butt"
    )
    _write_name(layout, START, start, -3 * layout.eV_per_pt)
    by_state = {level.state: level for level in route}
    for level in route:
        if not level.found:
            _draw_missing(layout, level, colour)
            continue
        _draw_state(layout, level, colour)
        if level.parent == START:
            _connect(layout, (start + start_bar / 2, 0.0), level, colour)
        elif level.parent in layout.slot_centres:
            parent = by_state.get(level.parent)
            height = parent.energy_eV if parent else level.energy_eV
            _connect(layout, (layout.slot_centres[level.parent] + _BAR / 2, height), level, colour)


def _draw_shade(axes: Axes, x: float, width: float, energy_eV: float, sigma_eV: float, colour: ColorType) -> None:
    """Draw one standard deviation on both sides of an energy, if it is known."""
    if math.isfinite(sigma_eV):
        corner = x - width / 2, energy_eV - sigma_eV
        box = Rectangle(corner, width, 2 * sigma_eV, facecolor=style.tint(colour, 0.80), zorder=1)
        box.set_linewidth(0)
        axes.add_patch(box)


def _draw_state(layout: _Layout, level: Level, colour: ColorType) -> None:
    """Draw bar, shade, Gibbs marker, number and name of a state."""
    axes, x, energy = layout.axes, layout.slot_centres[level.state], level.energy_eV
    left, right = x - _BAR / 2, x + _BAR / 2
    _draw_shade(axes, x, _BAR, energy, level.sigma_eV, colour)
    (bar,) = axes.plot([left, right], [energy, energy], color=colour, linewidth=2, zorder=4)
    bar.set(solid_capstyle="butt", gid=f"state:{level.state}")
    if math.isfinite(level.raw_eV):
        (raw,) = axes.plot([left, right], [level.raw_eV, level.raw_eV], color=colour, zorder=3.5, **_RAW)
        raw.set_gid(f"raw:{level.state}")
    unrefined_sigma = _or_zero(level.unrefined_sigma_eV)
    if math.isfinite(level.unrefined_eV):
        unrefined = axes.errorbar(x + 0.36 * _BAR, level.unrefined_eV, unrefined_sigma, color=colour, **_UNREFINED)
        unrefined.lines[0].set_gid(f"unrefined:{level.state}")
    # The number is on the side of the bar opposite to the Gibbs marker.
    is_above = math.isfinite(level.gibbs_eV) and level.gibbs_eV < energy
    axes.annotate(
        style.format_number(energy),
        (x, energy),
        (0, 2 if is_above else -2.5),
        textcoords="offset points",
        ha="center",
        va="bottom" if is_above else "top",
        fontsize=_LABEL_PT,
        color=colour,
        weight="bold",
        zorder=5,
    )
    bottoms = [
        energy - _or_zero(level.sigma_eV),
        energy - (0 if is_above else _VALUE_PT * layout.eV_per_pt),
        level.raw_eV,
        level.unrefined_eV - unrefined_sigma,
    ]
    if math.isfinite(level.gibbs_eV):
        (gibbs,) = axes.plot([x], [level.gibbs_eV], **_gibbs_marker(colour), zorder=4.5)
        gibbs.set_gid(f"gibbs:{level.state}")
        bottoms.append(level.gibbs_eV - 3.5 * layout.eV_per_pt)
    lowest = min(bottom for bottom in bottoms if math.isfinite(bottom))
    _write_name(layout, level.state, x, lowest - 1.5 * layout.eV_per_pt)


def _gibbs_marker(colour: ColorType) -> dict[str, Any]:
    return {
        "marker": "D",
        "markersize": 4.5,
        "markerfacecolor": style.tint(colour, 0.45),
        "markeredgecolor": "white",
        "markeredgewidth": 0.6,
        "linestyle": "none",
    }


def _write_name(layout: _Layout, state: str, x: float, top: float) -> None:
    """Write the name of a state below its bar, shade and markers."""
    text = style.wrap(style.with_spaces(state), layout.slot_in - 0.03, _LABEL_PT)
    label = layout.axes.text(x, top, text, ha="center", va="top", fontsize=_LABEL_PT, linespacing=1.05, zorder=3)
    label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.85})


def _draw_missing(layout: _Layout, level: Level, colour: ColorType) -> None:
    """Draw a state without an energy as an open dashed box at the bottom of its slot, off the energy scale."""
    axes, x = layout.axes, layout.slot_centres[level.state]
    bottom = axes.get_ylim()[0] + (3.2 * _LINE_PT) * layout.eV_per_pt
    width, height = 0.90, 12 * layout.eV_per_pt
    box = Rectangle(
        (x - width / 2, bottom), width, height, fill=False, edgecolor=colour, linewidth=0.8, linestyle=(0, (3, 2))
    )
    box.set(gid=f"missing:{level.state}", zorder=3)
    axes.add_patch(box)
    axes.text(x, bottom + height / 2, "not found", ha="center", va="center_baseline", fontsize=6, color=colour)
    _write_name(layout, level.state, x, bottom - 1.5 * layout.eV_per_pt)


def _connect(layout: _Layout, start: tuple[float, float], level: Level, colour: ColorType) -> None:
    """Draw the line from a state to the next one, through the saddle point if there is one."""
    axes = layout.axes
    end = layout.slot_centres[level.state] - _BAR / 2, level.energy_eV
    line: dict[str, Any] = {"color": colour, "linewidth": 0.7, "zorder": 2}
    if not math.isfinite(level.saddle_eV):
        axes.plot([start[0], end[0]], [start[1], end[1]], **line)
        return
    x, saddle = layout.slot_centres[level.state] - 0.5, level.saddle_eV
    left, right = x - _SADDLE / 2, x + _SADDLE / 2
    _draw_shade(axes, x, _SADDLE, saddle, level.saddle_sigma_eV, colour)
    axes.plot([start[0], left], [start[1], saddle], **line)
    axes.plot([right, end[0]], [saddle, end[1]], **line)
    (bar,) = axes.plot([left, right], [saddle, saddle], color=colour, linewidth=1.4, zorder=4)
    bar.set(solid_capstyle="butt", gid=f"saddle:{level.state}")
    axes.annotate(
        style.format_number(saddle),
        (x, saddle),
        (0, 2),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=_SADDLE_LABEL_PT,
        color=colour,
        zorder=5,
    )


def _draw_legend(figure: Figure, axes: Axes, states: pd.DataFrame, levels: list[Level]) -> None:
    """Explain bars, shades and markers above the axes."""
    shade = Patch(facecolor=style.tint(style.GREY, 0.75))
    # Matplotlib accepts tuples and containers of artists as handles, but its type annotations do not.
    handles: list[Any] = [(shade, Line2D([], [], color=style.GREY, linewidth=2))]
    labels = ["energy ± 1 standard deviation"]
    if any(math.isfinite(level.raw_eV) for level in levels):
        handles.append(Line2D([], [], color=style.GREY, **_RAW))
        labels.append("uncorrected")
    if any(math.isfinite(level.unrefined_eV) for level in levels):
        handles.append(axes.errorbar([], [], [], color=style.GREY, **_UNREFINED))
        labels.append("unrefined")
    if any(math.isfinite(level.saddle_eV) for level in levels):
        handles.append(Line2D([], [], color=style.GREY, linewidth=1.4))
        labels.append("barrier")
    if any(math.isfinite(level.gibbs_eV) for level in levels):
        handles.append(Line2D([], [], **_gibbs_marker(style.GREY)))
        labels.append("Gibbs energy" + _conditions(states))
    frame = axes.get_position()
    figure.legend(
        handles,
        labels,
        loc="lower left",
        ncols=len(handles),
        borderaxespad=0,
        borderpad=0.1,
        bbox_to_anchor=(frame.x0, frame.y1 + 0.06 / figure.get_figheight()),
        handlelength=1.4,
        columnspacing=1.4,
        handletextpad=0.5,
    )


def _conditions(states: pd.DataFrame) -> str:
    """Write temperature and gas pressure, each only if the table has a single value."""
    text = ""
    if "temperature_K" in states:
        temperatures = states["temperature_K"].dropna().unique()
        text += f" at {temperatures[0]:g} K" if len(temperatures) == 1 else ""
    if {"pressure_Pa", "phase"} <= set(states):
        pressures = states.loc[states["phase"] == "gas", "pressure_Pa"].dropna().unique()
        text += f", {pressures[0] / 1e5:g} bar" if len(pressures) == 1 else ""
    return text
