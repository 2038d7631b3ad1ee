"""The durable, chained and signed record of every decision.

The only package that imports SQLAlchemy, psycopg, alembic and cryptography. `entries`, `chain` and `durability` load
without any of them, psycopg is loaded for a PostgreSQL URL alone, and alembic by `migrate` alone.
"""
