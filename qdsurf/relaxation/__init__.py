"""Relaxations and normal modes with any calculator: optimisers, restraints, worker processes, checkpoints."""
