"""What every table shares: key, instants in UTC, text that compares byte by byte, and links that never query by surprise."""

import enum
from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import BigInteger, DateTime, Enum, ForeignKey, Integer, MetaData
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry, relationship
from sqlalchemy.types import TypeDecorator

# `utf8mb4_bin` is the one collation that MySQL, MariaDB and SQLite agree on; sorting and searching use keys of our own.
TABLE_OPTIONS = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}

Id = BigInteger().with_variant(Integer, "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware UTC in Python, DATETIME(6) without zone in the database."""

    impl = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone; use clinic.clock")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None else None


def one_of(kind: type[enum.StrEnum]) -> Enum:
    """A column that holds one value of an enum, as text with a CHECK in the database."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        length=32,
        name=kind.__name__.lower(),
        values_callable=lambda members: [member.value for member in members],
    )


class Base(DeclarativeBase):
    registry = registry(
        metadata=MetaData(
            naming_convention={
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_N_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={datetime: UtcDateTime()},
    )
    __table_args__: Any = TABLE_OPTIONS


identity = Annotated[int, mapped_column(Id, primary_key=True, autoincrement=True)]


def references(target: str, **options: Any) -> Mapped[Any]:
    """A foreign key column; nothing that is referred to can be deleted."""
    return mapped_column(Id, ForeignKey(target, ondelete="RESTRICT"), **options)


def link(*args: Any, **options: Any) -> Any:
    """A relationship that must be loaded by the query that needs it: touching it otherwise raises."""
    return relationship(*args, lazy="raise_on_sql", **options)
