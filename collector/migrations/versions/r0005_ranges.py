"""Which numbers a closed day holds, so that a start need not read its reports."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ranges",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("site", sa.String, primary_key=True),
        sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("low", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("high", sa.BigInteger, nullable=False),
    )
