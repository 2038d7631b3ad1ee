"""Bundles that travel: OPA's format, its signatures, and what a bundle says of itself."""
