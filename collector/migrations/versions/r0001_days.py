"""The catalogue of days, and when each site was last heard."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "days",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("min_ms", sa.BigInteger),
        sa.Column("max_ms", sa.BigInteger),
        sa.Column("reports", sa.BigInteger),
        sa.Column("ahead_ms", sa.BigInteger, nullable=False),
        sa.Column("back_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "heard",
        sa.Column("site", sa.String, primary_key=True),
        sa.Column("day", sa.Integer, nullable=False),
    )
