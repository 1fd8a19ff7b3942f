"""How fast and how small the two programs are, on real API servers. Prints numbers, asserts nothing.

    make bench                          every row, about 25 minutes; the figures go to results/latest.json
    make bench ARGS="create restart"    some rows
    make bench ARGS=--quick             a tenth of the samples, to see that it all works: figures without weight
    make bench ARGS=--record            keep the figures in results/, beside which later runs are printed

Method: black box. A client writes on one cluster, a watch sees it arrive on the other, one clock, in this process;
the programs are the installed commands, with metrics and logs as by default. Where there is a floor it is a bare
relay in this process (relay.py), measured in rounds that alternate with ours, because machines drift.
"""
