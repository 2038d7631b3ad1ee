"""Fuzz targets, which `make fuzz` runs with atheris. pytest collects none of them."""

MARK = "zQ4xK7vLm2"
"""Stands in seeds where a literal could be. No message of ours holds it."""
