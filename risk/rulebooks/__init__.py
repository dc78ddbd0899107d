"""The rulebooks that ship with Seawall, one TOML file per venue; README.md explains every key."""
