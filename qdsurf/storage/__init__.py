"""Files between the stages: written whole, with a check file that shows later damage."""
