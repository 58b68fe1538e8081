"""Artifacts: models for others, with raw input in, checked against their run before they appear."""
