"""The class of a series is looked for by its beginning (phantom:): PostgreSQL wants an index made for that."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_series_class", "series")
    op.create_index("ix_series_class", "series", ["class"], postgresql_ops={"class": "varchar_pattern_ops"})


def downgrade() -> None:
    op.drop_index("ix_series_class", "series")
    op.create_index("ix_series_class", "series", ["class"])
