"""Kinetics on the surface: from the tables of states, steps and sites to a selectivity with its uncertainty.

Tables in, tables out. What goes in: `tables`, or `mechanism` for one written by hand. The model: `lattice`, `network`,
`assembly`, `balance`, `landscape`, `rates`, `model`. What stands above the surface: `gas`, `recipe`. The solver:
`ratelaw`, `lanes`, `rosenbrock`, `batch`, `lsoda`, `solver`. Answers: `branching`, `analysis`, `uncertainty`,
`control`, `dose`, `ledger`, `window`, `pores`, all of them in `study`. Checks by other means: `export` to Cantera,
`gillespie`.
"""
