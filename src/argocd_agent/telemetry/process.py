"""What any program shows of itself: build, CPU, memory, open files, garbage collection."""

import gc
import os
import sys
from pathlib import Path

from argocd_agent.telemetry.exposition import Registry

_STAT = Path("/proc/self/stat")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def add_process(registry: Registry, version: str, revision: str = "") -> None:
    """Add `argocd_agent_build_info`, `process_*` and `python_*` to *registry*."""
    build = registry.gauge("argocd_agent_build_info", "What is running.", "version", "git_revision")
    build.set(1, version, revision)
    python = registry.gauge("python_info", "The interpreter.", "implementation", "version")
    python.set(1, sys.implementation.name, ".".join(str(part) for part in sys.version_info[:3]))
    cpu = registry.counter("process_cpu_seconds_total", "CPU time, user and system.")
    resident = registry.gauge("process_resident_memory_bytes", "Resident memory.")
    virtual = registry.gauge("process_virtual_memory_bytes", "Virtual memory.")
    started = registry.gauge("process_start_time_seconds", "Start of the process, seconds since 1970.")
    files = registry.gauge("process_open_fds", "Open file descriptors.")
    collections = registry.counter("python_gc_collections_total", "Runs of the garbage collector.", "generation")

    def read() -> None:
        for generation, counts in enumerate(gc.get_stats()):
            collections.set(counts["collections"], str(generation))
        if not _STAT.exists():
            return  # only Linux has it
        # After the program's name, which may hold anything in its parentheses; man 5 proc counts from 3 here.
        stat = _STAT.read_text().rpartition(")")[2].split()
        cpu.set((int(stat[11]) + int(stat[12])) / _TICKS)
        started.set(_boot_seconds() + int(stat[19]) / _TICKS)
        virtual.set(int(stat[20]))
        resident.set(int(stat[21]) * _PAGE_BYTES)
        files.set(len(os.listdir("/proc/self/fd")))

    registry.before_scrape(read)


def _boot_seconds() -> float:
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0
