"""An incident has many offices or none, lines, and what it is about."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TEXTS = {"sites": "[]", "circuits": "[]", "about": "", "found": ""}


def upgrade() -> None:
    for name, empty in TEXTS.items():
        op.add_column("incidents", sa.Column(name, sa.String, nullable=False, server_default=empty))
    op.add_column("incidents", sa.Column("upstream", sa.String))
    known = sa.table("incidents", sa.column("id"), sa.column("site"), sa.column("sites"))
    bind = op.get_bind()
    for row in bind.execute(sa.select(known.c.id, known.c.site)).all():
        sites = json.dumps([row.site])
        bind.execute(sa.update(known).where(known.c.id == row.id).values(sites=sites))
    op.drop_column("incidents", "site")
