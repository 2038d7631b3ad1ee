"""Ways to hide a literal from the projection, each of which has to be denied or refused."""
