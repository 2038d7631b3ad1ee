"""The detection test set: secrets and harmless values in every field, and who finds what."""
