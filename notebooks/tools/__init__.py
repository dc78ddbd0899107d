"""How the course is made: lessons are run, and leave a notebook and figures."""
