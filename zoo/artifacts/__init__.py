"""Artifacts: exported models that take raw input, verified against their run when written."""
