"""How long a cloud's store may take: two attempts of this must fit into a pass, and into the end of a process."""

CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 5
#: For everything that one operation on a store takes together: a silent server uses up two attempts of it, and one whose
#: answer trickles, which no timeout of a single read ends, all of it.
OPERATION_S = 15.0
