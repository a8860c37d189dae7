"""The energy profile of one system: what the precursor can do on the crystal and to the ligands, on one axis."""

import math
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from qdsurf.report.figures import style
from qdsurf.report.figures.routes import START, Level, levels, with_unrefined
from qdsurf.report.system_names import parse_system, rows_of

# widths along the axis, in slots of one state each
_START_SLOT, _GAP, _BAR, _SADDLE = 0.72, 0.30, 0.62, 0.18
# sizes in inch
_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT, _SLOT_MIN, _SLOT_MAX = 0.52, 0.10, 0.52, 0.30, 2.9, 0.59, 0.95
# sizes in points
_VALUE_PT, _LINE_PT, _HEAD_PT = 9.0, 8.2, 27.0
_RAW = {"linewidth": 1.0, "linestyle": (0, (1, 1.2))}
_UNREFINED = {"marker": "o", "markersize": 3, "capsize": 2, "linewidth": 0.8, "zorder": 6}


@dataclass(frozen=True)
class _Sketch:
    """Axes with the place of every slot, and the scales of both directions."""

    axes: Axes
    places: dict[str, float]  # state, or START with the class behind it: centre of its slot
    slot_in: float
    eV_per_pt: float


@style.styled
def plot_energy_profile(
    states: pd.DataFrame, steps: pd.DataFrame, system: str, unrefined: tuple[pd.DataFrame, ...] = ()
) -> Figure:
    """Draw the routes of one system side by side on one energy axis.

    Each route starts at the ligated surface with the precursor in the gas, which is zero. A bar is a state and the
    shade its standard deviation, a dotted bar the same state before its calculator was corrected; thin lines join
    states, through the saddle point where the step has one. A state without a number is an open dashed box that nothing
    joins, with the reason under the figure.

    Parameters
    ----------
    states, steps : tables of the room `energetics` for any number of systems, energies in eV.
    system : which one to draw.
    unrefined : the same two tables at the level of the geometries, where the energies are of a better one: then the
        dotted bars are this level as it is, and error bars what it is corrected to.

    Raises
    ------
    InputError : the system is not in the tables, or a column is missing.
    """
    name = parse_system(system) if "~" in system else None
    found = levels(states, steps, system)
    found = with_unrefined(found, levels(*unrefined, system)) if unrefined else found
    routes = {key: [level for level in found if level.reaction_class == key] for key in style.CLASS_COLOURS}
    routes = {key: route for key, route in routes.items() if route}
    slots = sum(_START_SLOT + len(route) + _GAP for route in routes.values()) - _GAP
    slot_in = min(_SLOT_MAX, max(_SLOT_MIN, (style.DOUBLE_COLUMN_IN - _LEFT - _RIGHT) / max(slots, 1)))
    width = max(_LEFT + slots * slot_in + _RIGHT, 5.4)
    notes = _notes(found, width - _LEFT - _RIGHT)
    bottom = _BOTTOM + 0.13 * len(notes) + (0.06 if notes else 0)

    figure = style.canvas(width, bottom + _HEIGHT + _TOP)
    axes = style.axes_at(figure, _LEFT, bottom, width - _LEFT - _RIGHT, _HEIGHT)
    sketch = _frame(axes, routes, slot_in, name.precursor if name else "precursor")
    for key, route in routes.items():
        _draw_route(sketch, key, route)
    _legend(figure, axes, rows_of(states, system, "states"), found)
    title = name.label if name else system
    figure.text(
        _LEFT / width, 1 - 0.06 / figure.get_figheight(), title, va="top", weight="bold", fontsize=style.TEXT_PT
    )
    for line, text in enumerate(reversed(notes)):
        height = (0.05 + 0.13 * line) / figure.get_figheight()
        figure.text(_LEFT / width, height, text, fontsize=6.5, color=style.GREY, va="bottom")
    return figure


def _notes(found: list[Level], width_in: float) -> list[str]:
    """Lines under the figure that say why states are missing."""
    missing = [f"{style.words(level.state)} ({style.words(level.reason)})" for level in found if not level.found]
    return style.wrap("Not found: " + "; ".join(missing) + ".", width_in, 6.5, 4).split("\n") if missing else []


def _frame(axes: Axes, routes: dict[str, list[Level]], slot_in: float, precursor: str) -> _Sketch:
    """Place the slots, choose the energy range so that every label has room, and draw what is common."""
    places, edge = {}, 0.0
    for key, route in routes.items():
        places[f"{START}:{key}"] = edge + _START_SLOT / 2
        for index, level in enumerate(route):
            places[level.state] = edge + _START_SLOT + index + 0.5
        edge += _START_SLOT + len(route) + _GAP
    width_in = axes.get_position().width * axes.figure.get_figwidth()
    axes.set_xlim(0, width_in / slot_in)

    low, high = 0.0, 0.0
    for level in (level for route in routes.values() for level in route if level.found):
        sigma, saddle_sigma = _or_zero(level.sigma_eV), _or_zero(level.saddle_sigma_eV)
        own = level.unrefined_eV, _or_zero(level.unrefined_sigma_eV)
        feet = (level.energy_eV - sigma, level.gibbs_eV, level.raw_eV, own[0] - own[1])
        low = min(low, *(foot for foot in feet if math.isfinite(foot)))
        tops = (level.energy_eV + sigma, level.gibbs_eV, level.raw_eV, level.saddle_eV + saddle_sigma, own[0] + own[1])
        high = max(high, *(top for top in tops if math.isfinite(top)))
    under, over = 4 + 3.4 * _LINE_PT, _HEAD_PT + _VALUE_PT
    scale = max(high - low, 0.5) / (_HEIGHT * style.POINTS_PER_INCH - under - over)
    axes.set_ylim(low - under * scale, low + max(high - low, 0.5) + over * scale)

    axes.axhline(0, color=style.PALE, linewidth=0.6, zorder=0)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_xlabel("reaction coordinate (states in order, not to scale)", labelpad=3)
    axes.set_ylabel(f"energy relative to ligated surface + {precursor}(g) (eV)")
    return _Sketch(axes, places, slot_in, scale)


def _or_zero(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _draw_route(sketch: _Sketch, key: str, route: list[Level]) -> None:
    """Draw the start, the states and the joins of one class of reactions, with the class named above them."""
    axes, colour = sketch.axes, style.CLASS_COLOURS[key]
    start = sketch.places[f"{START}:{key}"]
    axes.annotate(key.replace("-", "–"), (start - _START_SLOT / 2, 1), (2, -2), xycoords=("data", "axes fraction"),
                  textcoords="offset points", va="top", color=colour, weight="bold")  # fmt: skip
    bar = _BAR * _START_SLOT
    axes.plot([start - bar / 2, start + bar / 2], [0, 0], color=style.INK, linewidth=2, solid_capstyle="butt")
    _name(sketch, START, start, -3 * sketch.eV_per_pt)
    found = {level.state: level for level in route}
    for level in route:
        if not level.found:
            _draw_missing(sketch, level, colour)
            continue
        _draw_state(sketch, level, colour)
        if level.parent == START:
            _join(sketch, (start + bar / 2, 0.0), level, colour)
        elif level.parent in sketch.places:
            parent = found.get(level.parent)
            height = parent.energy_eV if parent else level.energy_eV
            _join(sketch, (sketch.places[level.parent] + _BAR / 2, height), level, colour)


def _shade(axes: Axes, x: float, width: float, energy: float, sigma: float, colour) -> None:
    """Draw one standard deviation to either side, if there is one."""
    if math.isfinite(sigma):
        box = Rectangle((x - width / 2, energy - sigma), width, 2 * sigma, facecolor=style.tint(colour, 0.80), zorder=1)
        box.set_linewidth(0)
        axes.add_patch(box)


def _draw_state(sketch: _Sketch, level: Level, colour) -> None:
    """Draw bar, shade, Gibbs marker, number and name of a state."""
    axes, x, energy = sketch.axes, sketch.places[level.state], level.energy_eV
    _shade(axes, x, _BAR, energy, level.sigma_eV, colour)
    (bar,) = axes.plot([x - _BAR / 2, x + _BAR / 2], [energy, energy], color=colour, linewidth=2, zorder=4)
    bar.set(solid_capstyle="butt", gid=f"state:{level.state}")
    if math.isfinite(level.raw_eV):
        ends = [x - _BAR / 2, x + _BAR / 2], [level.raw_eV, level.raw_eV]
        axes.plot(*ends, color=colour, zorder=3.5, **_RAW)[0].set_gid(f"raw:{level.state}")
    if math.isfinite(level.unrefined_eV):
        sigma = _or_zero(level.unrefined_sigma_eV)
        bar = axes.errorbar(x + 0.36 * _BAR, level.unrefined_eV, sigma, color=colour, **_UNREFINED)
        bar.lines[0].set_gid(f"unrefined:{level.state}")
    up = math.isfinite(level.gibbs_eV) and level.gibbs_eV < energy
    axes.annotate(style.number(energy), (x, energy), (0, 2 if up else -2.5), textcoords="offset points", ha="center",
                  va="bottom" if up else "top", fontsize=6.5, color=colour, weight="bold", zorder=5)  # fmt: skip
    lowest = min(energy - _or_zero(level.sigma_eV), energy - (0 if up else _VALUE_PT * sketch.eV_per_pt))
    others = (level.raw_eV, level.unrefined_eV - _or_zero(level.unrefined_sigma_eV))
    lowest = min(lowest, *(other for other in others if math.isfinite(other)), lowest)
    if math.isfinite(level.gibbs_eV):
        (gibbs,) = axes.plot([x], [level.gibbs_eV], **_gibbs_marker(colour), zorder=4.5)
        gibbs.set_gid(f"gibbs:{level.state}")
        lowest = min(lowest, level.gibbs_eV - 3.5 * sketch.eV_per_pt)
    _name(sketch, level.state, x, lowest - 1.5 * sketch.eV_per_pt)


def _gibbs_marker(colour) -> dict:
    return {"marker": "D", "markersize": 4.5, "markerfacecolor": style.tint(colour, 0.45), "markeredgecolor": "white",
            "markeredgewidth": 0.6, "linestyle": "none"}  # fmt: skip


def _name(sketch: _Sketch, state: str, x: float, top: float) -> None:
    """Write the name of a state below everything that is drawn of it."""
    text = style.wrap(style.words(state), sketch.slot_in - 0.03, 6.5)
    label = sketch.axes.text(x, top, text, ha="center", va="top", fontsize=6.5, linespacing=1.05, zorder=3)
    label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.85})


def _draw_missing(sketch: _Sketch, level: Level, colour) -> None:
    """Draw the open dashed box of a state without a number, at the foot of its slot and off the energy scale."""
    axes, x, low = sketch.axes, sketch.places[level.state], sketch.axes.get_ylim()[0]
    foot = low + (3.2 * _LINE_PT) * sketch.eV_per_pt
    width, height = 0.90, 12 * sketch.eV_per_pt
    box = Rectangle(
        (x - width / 2, foot), width, height, fill=False, edgecolor=colour, linewidth=0.8, linestyle=(0, (3, 2))
    )
    box.set(gid=f"missing:{level.state}", zorder=3)
    axes.add_patch(box)
    axes.text(x, foot + height / 2, "not found", ha="center", va="center_baseline", fontsize=6, color=colour)
    _name(sketch, level.state, x, foot - 1.5 * sketch.eV_per_pt)


def _join(sketch: _Sketch, start: tuple[float, float], level: Level, colour) -> None:
    """Draw the line from a state to the next, through the saddle point where there is one."""
    axes, end = sketch.axes, (sketch.places[level.state] - _BAR / 2, level.energy_eV)
    line = {"color": colour, "linewidth": 0.7, "zorder": 2}
    if not math.isfinite(level.saddle_eV):
        axes.plot(*zip(start, end, strict=True), **line)
        return
    x, saddle = sketch.places[level.state] - 0.5, level.saddle_eV
    half = _SADDLE / 2
    _shade(axes, x, _SADDLE, saddle, level.saddle_sigma_eV, colour)
    axes.plot([start[0], x - half], [start[1], saddle], **line)
    axes.plot([x + half, end[0]], [saddle, end[1]], **line)
    (bar,) = axes.plot([x - half, x + half], [saddle, saddle], color=colour, linewidth=1.4, zorder=4)
    bar.set(solid_capstyle="butt", gid=f"saddle:{level.state}")
    axes.annotate(style.number(saddle), (x, saddle), (0, 2), textcoords="offset points", ha="center", va="bottom",
                  fontsize=6, color=colour, zorder=5)  # fmt: skip


def _legend(figure: Figure, axes: Axes, states: pd.DataFrame, found: list[Level]) -> None:
    """Say above the axes what bars, shades and markers are."""
    shade = Patch(facecolor=style.tint(style.GREY, 0.75))
    handles = [(shade, Line2D([], [], color=style.GREY, linewidth=2))]
    labels = ["energy ± 1 standard deviation"]
    if any(math.isfinite(level.raw_eV) for level in found):
        handles.append(Line2D([], [], color=style.GREY, **_RAW))
        labels.append("uncorrected")
    if any(math.isfinite(level.unrefined_eV) for level in found):
        handles.append(axes.errorbar([], [], [], color=style.GREY, **_UNREFINED))
        labels.append("unrefined")
    if any(math.isfinite(level.saddle_eV) for level in found):
        handles.append(Line2D([], [], color=style.GREY, linewidth=1.4))
        labels.append("barrier")
    if any(math.isfinite(level.gibbs_eV) for level in found):
        handles.append(Line2D([], [], **_gibbs_marker(style.GREY)))
        labels.append("Gibbs energy" + _conditions(states))
    anchor = axes.get_position()
    figure.legend(handles, labels, loc="lower left", ncols=len(handles), borderaxespad=0, borderpad=0.1,
                  bbox_to_anchor=(anchor.x0, anchor.y1 + 0.06 / figure.get_figheight()), handlelength=1.4,
                  columnspacing=1.4, handletextpad=0.5)  # fmt: skip


def _conditions(states: pd.DataFrame) -> str:
    """Temperature, and pressure of the gas, where the table has one of each."""
    text = ""
    if "temperature_K" in states:
        temperatures = states["temperature_K"].dropna().unique()
        text += f" at {temperatures[0]:g} K" if len(temperatures) == 1 else ""
    if {"pressure_Pa", "phase"} <= set(states):
        pressures = states.loc[states["phase"] == "gas", "pressure_Pa"].dropna().unique()
        text += f", {pressures[0] / 1e5:g} bar" if len(pressures) == 1 else ""
    return text
