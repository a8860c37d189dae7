"""Files that pass results between the stages: written atomically, with a check file that reveals later changes."""
