"""The endpoints, one family a file: each takes a `Call` and returns what is sent as JSON."""
