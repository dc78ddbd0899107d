"""The ground floor: numbers, instruments, messages, the bus, the journal and the invariants."""
