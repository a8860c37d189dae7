"""Kinetics on the surface: from the tables of states, steps and sites to a selectivity with its uncertainty.

Order of the modules: network and gas, landscape, rates, recipe, solver, analysis. Tables in, tables out.
"""
