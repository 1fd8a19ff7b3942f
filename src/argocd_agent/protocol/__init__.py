"""The core: what is sent when, what counts as received, who compares what after a restart.

Everything here is pure. A machine's inputs are methods, its outputs are return values; time comes in
as an argument (`now`, seconds of a monotonic clock), randomness as an argument (`jitter`, 0 ≤ jitter < 1),
and what it wants to be woken for is a `deadline()`. Drivers, in `peer`, give it a clock and I/O.
"""
