"""The durable, chained record of every decision.

The only package that imports SQLAlchemy, and only its `connections`, `schema`, `store`, `queries` and `verify` do:
`entries`, `chain` and `durability` load without it.
"""
