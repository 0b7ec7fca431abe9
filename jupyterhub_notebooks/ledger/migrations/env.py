"""Runs migrations on the connection that upgrading.py hands over."""

from alembic import context

from jupyterhub_notebooks.ledger.tables import metadata
from jupyterhub_notebooks.ledger.upgrading import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    transactional_ddl=False,
)
with context.begin_transaction():
    context.run_migrations()
