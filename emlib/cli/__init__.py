"""The command `python -m emlib`: a table is read, a mixture fitted, a report written."""
