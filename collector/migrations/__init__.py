"""The store's migrations, run by `collector.database` when it opens a database; forward only.

A new revision is a file in `versions/`, and its number goes to `collector.schema.HEAD`. The
tables of the days are not migrated: a new column there begins with the next day's table.
"""
