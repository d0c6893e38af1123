"""What each channel heard of an incident, as which it was told, and what each step decided."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Empty: told by an earlier version, which noted only who had not taken it yet.
    op.add_column("incidents", sa.Column("told_as", sa.String, nullable=False, server_default=""))
    op.create_index("incidents_by_case", "incidents", ["told_as"])
    op.create_table(
        "told",
        sa.Column("incident", sa.String, primary_key=True),
        sa.Column("channel", sa.String, primary_key=True),
        sa.Column("status", sa.String, primary_key=True),
        sa.Column("stage", sa.String, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
    )
    op.execute(
        "INSERT INTO told (incident, channel, status, stage, at_ms) "
        "SELECT u.incident, u.channel, u.status, 'handed', i.began_ms "
        "FROM unsaid u JOIN incidents i ON i.id = u.incident"
    )
    op.drop_table("unsaid")
    op.create_table(
        "decisions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("incident", sa.String, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("step", sa.String, nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("decided", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
    )
    op.create_index("decisions_by_incident", "decisions", ["incident"])
