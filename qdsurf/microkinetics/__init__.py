"""Microkinetics: from the tables of states, steps and sites to the selectivity with its uncertainty.

Data flows from `network` (what can happen) through `rates` (how fast) and `solver` (coverages in time) to `analysis`
(what that means). `simulate_cycle` runs all of them for one system; `cantera_export` writes the network for Cantera.
"""
