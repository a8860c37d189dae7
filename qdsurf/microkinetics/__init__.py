"""Microkinetics: coverages, selectivity and their uncertainty from the tables of states, steps and sites.

The subpackages are used in this order:

- `network` builds the reaction network from the tables;
- `rates` computes rate constants and partial pressures;
- `solver` integrates the coverages in time;
- `analysis` computes selectivity, uptake, rate control and other quantities from the integrated coverages.

`simulate_cycle` runs these parts for one system. `cantera_export` writes the network as a mechanism for Cantera.
"""
