"""Keys, certificates and tokens: bytes in, bytes out. Time comes in as an argument.

Two halves. `tls`, `glance` and `subject` use the standard library alone: they are the agent's, whose memory is
counted. `keys`, `certificates`, `fingerprints` and `tokens` import cryptography and joserfc: the hub's and the
command line's.
"""
