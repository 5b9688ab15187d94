"""What differs between two machines, and between two builds: unlike machines are not compared by accident."""

from __future__ import annotations

from typing import Any, List, Mapping

# What makes figures of two runs incomparable. Memory, load and the like vary from hour to hour on one machine.
MACHINE = ("machine", "cpu", "microcode", "os", "virtualisation", "container", "governor", "turbo",
           "frequency_scaling_driver", "numa_balancing", "nmi_watchdog", "autogroup", "aslr", "transparent_huge_pages",
           "shmem_huge_pages", "clock_source", "isolated_cpus", "mitigations")
BUILD = ("compiler", "version", "flags", "type", "revision", "sanitizers")


def machine_differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> List[str]:
    """Each difference as `key: value of one / value of the other`; `unknown` is a value like another. Conditions that
    were asked for (real-time priority, huge pages, CPUs) are among them."""
    found = [line for key in MACHINE for line in _differences(key, one.get(key, "unknown"), other.get(key, "unknown"))]
    return found + _differences("conditions", _conditions(one), _conditions(other))


def build_differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> List[str]:
    """The same of the builds: they may be just what is compared."""
    builds = [environment.get("build") or {} for environment in (one, other)]
    return [line for key in BUILD
            for line in _differences(f"build.{key}", *(build.get(key, "unknown") for build in builds))]


def _conditions(environment: Mapping[str, Any]) -> Any:
    fingerprint = environment.get("fingerprint")
    return fingerprint.get("conditions", "unknown") if isinstance(fingerprint, dict) else "unknown"


def _differences(key: str, one: Any, other: Any) -> List[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        return [line for part in sorted({*one, *other})
                for line in _differences(f"{key}.{part}", one.get(part, "unknown"), other.get(part, "unknown"))]
    return [] if one == other else [f"{key}: {_brief(one)} / {_brief(other)}"]


def _brief(value: Any) -> str:
    """Where a whole section is on one side only, that it is known is enough."""
    return "known" if isinstance(value, (dict, list)) and len(str(value)) > 80 else str(value)
