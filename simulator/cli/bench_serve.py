"""``rackcast bench-serve``: the same requests at many rates, to find the knee."""

from __future__ import annotations

from typing import Annotated

import typer

from simulator.cli import options, output

Factors = Annotated[
    str, typer.Option("--factors", metavar="F,F,...", help="Speeds of the scenario's own arrivals.", show_default=True)
]


def command(
    scenario: options.ScenarioFile,
    overrides: options.Overrides = None,
    workload: Annotated[str | None, typer.Option("--workload", metavar="ID", help="Which service.")] = None,
    factors: Factors = "0.25,0.5,0.75,1,1.5,2,3,4",
    out: options.OutDir = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
) -> int:
    """Serve a scenario's requests at many speeds: throughput, latency, attainment, and the highest rate that keeps it.

    Every speed serves the same requests, so that only the rate differs. With --out: knee.csv and knee.png.

    example: rackcast bench-serve scenarios/serve-chat-h100.yaml --factors 1,2,4,8
    """
    from simulator.scenario import load_scenario
    from simulator.simulation import chosen_workload
    from simulator.simulation.knee import knee_of, sweep_rates

    chosen_scenario = load_scenario(scenario, overrides or [])
    chosen = chosen_workload(chosen_scenario, workload)
    rows = sweep_rates(chosen_scenario, chosen, _numbers(factors))
    knee = knee_of(rows, chosen.attainment)
    columns = list(rows[0])
    table = [list(row.values()) for row in rows]
    if out is not None:
        from simulator.foundation.files import write_atomic
        from simulator.results.serving_plots import plot_knee
        from simulator.results.style import save

        write_atomic(out / "knee.csv", output.csv_text(columns, table))
        save(plot_knee(rows, title=f"{chosen.id}: throughput and latency")[0], out / "knee.png")
        output.note(f"wrote knee.csv, knee.png to {out}")
    if as_json:
        output.json_document({"rates": rows, "knee_per_s": knee, "wanted_attainment": chosen.attainment})
    elif as_csv:
        output.csv(columns, table)
    else:
        output.table(columns, table, title=f"{chosen.id} by rate")
        found = "no rate tried keeps it" if knee is None else f"{knee:.3g} requests/s"
        output.line(f"highest rate with {chosen.attainment:.0%} inside the limits: {found}")
    return 0


def _numbers(text: str) -> list[float]:
    from simulator.foundation.errors import InputError

    try:
        found = sorted({float(part) for part in text.split(",")})
    except ValueError:
        raise InputError(f"--factors {text!r}: write numbers with commas, as in 0.5,1,2.") from None
    if not found or found[0] <= 0:
        raise InputError(f"--factors {text!r}: every factor must be above 0.")
    return found
