"""Faults of tables: cells, columns, rows, separators, quotes, encodings."""

from __future__ import annotations

from random import Random

from faults.byte_faults import spoil_bytes
from faults.tree_faults import spoil_text

CELLS = (
    "", " ", "0", "-1", "1e999", "-1e999", "nan", "NaN", "inf", "-inf", "1e308", "-1e308", "1e-320",
    "99999999999999999", "1,5", "1.000,5", "1_000", "0x10", "1-99999", "5-1", "0-2147483647", "-5--1", "²", "١",
    "=1+1", "@SUM(A1)", '"', "'",
    "a\0b", "\x1b[31m", "\u202eevil", "x" * 5000, "../../etc/passwd", "/dev/zero", "~nobody/x", "$HOME", "true",
    "yes", "background", "brain", "200", "-0", "+1", "1e0", "1.0", "#N/A", "\ufeff", "CON", "C:\\x", "x\u2028y",
    "\u00a0",
)  # fmt: skip


def spoil_table(random: Random, content: bytes, separator: str = ",") -> tuple[bytes, str]:
    """A cell, a row, a column or the text of a table changed."""
    how = random.random()
    if how > 0.85:
        return spoil_bytes(random, content, 60)
    if how > 0.75:
        return spoil_text(random, content)
    rows = [line.split(separator) for line in content.decode("utf-8").split("\n")]
    at = random.randrange(len(rows))
    done = random.choice(
        ("cell", "cell", "cell", "cell", "head", "lost row", "row twice", "rows moved", "lost cell", "more cells",
         "lost column", "column twice", "separator", "many rows", "quote", "comment")
    )  # fmt: skip
    if done in ("cell", "head"):
        row = rows[0 if done == "head" else at]
        row[random.randrange(len(row))] = cell = random.choice(CELLS)
        done = f"{done} {cell[:30]!r} in row {at}"
    elif done == "lost row":
        del rows[at]
    elif done == "row twice":
        rows.insert(at, list(rows[at]))
    elif done == "rows moved":
        random.shuffle(rows)
    elif done == "lost cell":
        rows[at].pop()
    elif done == "more cells":
        rows[at] += [random.choice(CELLS)] * random.choice((1, 3))
    elif done in ("lost column", "column twice"):
        column = random.randrange(len(rows[0]))
        for row in rows:
            if column < len(row):
                row[column : column + 1] = [row[column]] * 2 if done == "column twice" else []
    elif done == "many rows":
        rows += [list(rows[at]) for _ in range(3000)]
    elif done == "quote":
        rows[at][0] = '"' + rows[at][0]
    elif done == "comment":
        rows.insert(at, ["# a comment"])
    other = random.choice((";", "\t", "|", " ")) if done == "separator" else separator
    return "\n".join(other.join(row) for row in rows).encode("utf-8", "surrogatepass"), done
