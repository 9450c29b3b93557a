"""One cluster of the lab is one node: its network, its isolation, its processes."""
