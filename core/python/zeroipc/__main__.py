"""`python -m zeroipc`: the command."""

from .command.main import program

program()
