"""Judges and plots the records of one run folder; `python -m zeroipc_report FOLDER`. Reads only that folder."""
