"""Protocol and part of the body of a series: limits learned from history hang on them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("series", sa.Column("protocol_name", sa.String(), nullable=True))
    op.add_column("series", sa.Column("body_part", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("series", "body_part")
    op.drop_column("series", "protocol_name")
