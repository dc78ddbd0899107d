"""The exchange as a door sees it: its line to the gateway, what is listed, prices and depth."""
