"""Roll-ups by the hour, edges, and how far the upkeep's tasks have come."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _key(*columns: sa.Column[str] | sa.Column[int]) -> list[sa.Column[str] | sa.Column[int]]:
    return [
        sa.Column("site", sa.String, primary_key=True),
        sa.Column("hour_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        *columns,
    ]


def upgrade() -> None:
    op.create_table(
        "progress",
        sa.Column("task", sa.String, primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "hours",
        *_key(),
        *_numbers("reports", "late", "good_ms", "impaired_ms", "cut_ms", "unmeasured_ms"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "hour_probes",
        *_key(sa.Column("probe", sa.String, primary_key=True)),
        *_numbers("runs", "good", "sent", "received"),
        sa.Column("rtt_min_us", sa.BigInteger),
        sa.Column("rtt_mean_us", sa.BigInteger),
        sa.Column("rtt_max_us", sa.BigInteger),
        *_numbers("forward_sent", "forward_received", "backward_sent", "backward_received"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "hour_interfaces",
        *_key(
            sa.Column("device", sa.String, primary_key=True),
            sa.Column("interface", sa.String, primary_key=True),
        ),
        *_numbers("in_octets", "out_octets", "up_ms"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "edges",
        sa.Column("site", sa.String, primary_key=True),
        sa.Column("time_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("received_ms", sa.BigInteger, nullable=False),
        sa.Column("flags", sa.SmallInteger, nullable=False),
        sa.Column("block", sa.LargeBinary, nullable=False),
    )
