"""Figures of the report: each module draws one matplotlib figure from tables or structures.

=================  ====================================================================================
module             figure
=================  ====================================================================================
`profile`          energies of states and barriers along the routes of one system
`coverages`        coverages of the site families over one cycle of the recipe
`control`          degrees of rate control and of selectivity control
`saturation`       uptake and sticking coefficient against the dose of one pulse
`selectivity_map`  share of the ligand route over temperature and pressure
`selectivity`      shares of the reaction classes for all systems
`ranking`          uptake against the loss of ligands and cations for all systems
`saddle`           structures, bond lengths and energies along the path of one step over its saddle point
`structure`        one structure from the side and from above
=================  ====================================================================================

`kinetics` draws all figures that belong to the kinetics of one system. `routes` computes the energies that `profile`
draws. `style` defines colours, fonts and layout, and writes figures as SVG and PNG.
"""
