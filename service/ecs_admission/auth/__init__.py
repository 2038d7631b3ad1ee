"""Who asks, and what they may do: credentials become a `Principal`, which says yes or no. No HTTP, no SQL."""
