"""API keys: whose account each is, what it may do, and how a request is signed with it."""
