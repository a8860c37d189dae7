"""The run as a whole: configuration, plan, file locations, resources, provenance, status and origin of results."""
