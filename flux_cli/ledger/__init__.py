"""Keep every job in one SQLite file; the only package that imports sqlite3."""
