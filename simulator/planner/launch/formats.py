"""Number formats that inference engines take without a checkpoint of its own, and their flags."""

from __future__ import annotations

from typing import Final

from simulator.scenario.serve import ServeWorkload

#: format of the weights -> flags; vLLM and SGLang spell them alike
WEIGHTS: Final = {"bf16": "--dtype bfloat16", "fp16": "--dtype half", "fp8": "--dtype bfloat16 --quantization fp8"}


def format_refusals(workload: ServeWorkload) -> list[str]:
    """Return the formats of a service that such an engine does not take."""
    found = []
    if workload.precision not in WEIGHTS:
        found.append(f"the precision {workload.precision} (bf16, fp16 and fp8 without a checkpoint of its own)")
    if workload.cache_precision not in (None, workload.precision, "fp8"):
        found.append(f"a cache in {workload.cache_precision}")
    return found
