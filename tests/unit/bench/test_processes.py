from bench.processes import Memory, cpu_seconds, memory, metric

STAT = (
    "4711 (a) name (with) 1 2 3) S 1 4711 4711 0 -1 4194560 39033 0 12 0 250 50 7 8 20 0 9 0 8230 1 2 3 4 5 6 7 8 9 0"
)

ROLLUP = """\
00400000-7ffd [rollup]
Rss:               77740 kB
Pss:               50688 kB
Pss_Anon:          40000 kB
Shared_Clean:      20000 kB
"""


def test_cpu_time_is_user_and_system_whatever_the_program_is_called() -> None:
    assert cpu_seconds(STAT, 100) == 3.0


def test_cpu_time_of_children_does_not_count() -> None:
    without_children = STAT.replace(" 7 8 20 ", " 0 0 20 ")

    assert cpu_seconds(without_children, 100) == cpu_seconds(STAT, 100)


def test_memory_is_rss_and_the_whole_pss() -> None:
    assert memory(ROLLUP) == Memory(rss_bytes=77740 * 1024, pss_bytes=50688 * 1024)


PAGE = """\
# HELP events_sent Events sent.
# TYPE events_sent counter
events_sent{agent="a b"} 2
events_sent{agent="c"} 3
events_sent_bytes 70
"""


def test_a_metric_is_the_sum_of_its_own_series() -> None:
    assert (metric(PAGE, "events_sent"), metric(PAGE, "events")) == (5.0, 0.0)
