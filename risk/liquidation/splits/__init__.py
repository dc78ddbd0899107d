"""How equity is shared out over the positions of a bankrupt account, one file each."""
