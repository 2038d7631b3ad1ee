"""What alembic runs: the migrations, on the connection and in the transaction of `decision_log.migrate`."""

from alembic import context

from ecs_admission.decision_log.metadata import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
