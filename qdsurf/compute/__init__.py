"""The only place where a calculator runs: relaxations, vibrations, qualification."""
