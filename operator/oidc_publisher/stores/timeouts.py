"""How long a cloud's store may take: two attempts of this must fit into a pass, and into the end of a process."""

CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 5
