"""A day's index becomes a table: days that were closed with an index are closed anew."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE days SET closed = false")
