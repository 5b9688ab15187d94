"""The command `zeroipc`: looks into segments without writing a byte, and makes, repairs and removes them on request."""
