"""Messages between components: the bus, who gets which, and how long they take."""
