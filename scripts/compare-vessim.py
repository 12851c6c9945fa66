#!/usr/bin/env python3
"""Runs Vessim on the micro-grid vectors of this repository and writes down what it gives.

    pip install vessim
    scripts/compare-vessim.py [--vectors tests/fixtures/vessim] [--check | --make-inputs]

Reads cases.json (settings of each case) and inputs.csv (load, solar and wind power, carbon intensity in each step), runs every
case in Vessim, and writes vessim.json (versions and totals) and vessim-steps.csv (grid power and stored
energy in each hour).
With --check nothing is written: the run is held against what is written there. tests/microgrid_vessim.rs runs wattmark on the
same inputs and asserts that both agree within 0.1 %.

Vessim's convention: the power that is sampled at a tick is held until the next one; a battery's state is that before the
interval, so that the state at the end of step k is the one observed at tick k + 1, or the final state.
"""

import argparse
import csv
import json
import pathlib
import platform
import sys

try:
    import pandas as pd
    import vessim as vs
    from importlib.metadata import version
except ImportError as missing:
    sys.exit(f"{missing}: install Vessim first (pip install vessim), best in a virtual environment")

SECONDS_PER_HOUR = 3600.0


def battery_of(own):
    """The battery of a case: SimpleBattery has no losses, ClcBattery has; both in W and Wh."""
    capacity = own["capacity_kwh"] * 1000.0
    if own["charge_efficiency"] == 1.0 and own["discharge_efficiency"] == 1.0:
        return vs.SimpleBattery(
            name="battery",
            capacity=capacity,
            initial_soc=own["soc_start"],
            min_soc=own["soc_min"],
            c_rate=own["c_rate"],
        )
    # One cell as large as the battery; limits that do not fall with the current, and no cut-off.
    return vs.ClcBattery(
        name="battery",
        number_of_cells=1,
        initial_soc=own["soc_start"],
        min_soc=own["soc_min"],
        nom_voltage=1.0,
        u_1=0.0,
        v_1=0.0,
        u_2=0.0,
        v_2=capacity,
        alpha_d=-own["c_rate"],
        alpha_c=own["c_rate"],
        eta_d=1.0 / own["discharge_efficiency"],
        eta_c=own["charge_efficiency"],
        discharging_current_cutoff=0.0,
        charging_current_cutoff=0.0,
    )


def run(case, inputs, step_s, start):
    """Totals and steps of one case."""
    every = case.get("repeat_rows", 1)
    index = [i * step_s for i in range(len(inputs) * every)]
    column = lambda name, scale: vs.Trace(
        pd.Series([float(row[name]) * scale for row in inputs for _ in range(every)], index=index, name=name)
    )
    battery = battery_of(case["battery"]) if case["battery"] else None
    # Grams per kilowatt-hour are kilograms per megawatt-hour: Vessim's metric wants kilograms per kilowatt-hour.
    emissions = vs.GridImportEmissions("site", "carbon")
    recorder = vs.Recorder(custom_metrics={"import_emissions": emissions})
    environment = vs.Environment(sim_start=start, step_size=step_s)
    environment.add_microgrid(
        name="site",
        actors=[
            vs.Consumer("load", column("load_kw", 1000.0)),
            vs.Producer("solar", column("solar_kw", 1000.0)),
            vs.Producer("wind", column("wind_kw", 1000.0)),
        ],
        dispatchables=([battery] if battery else []) + [vs.GridConnection()],
        grid_signals={"carbon": column("g_per_kwh", 0.001)},
    )
    environment.add_controller(recorder)
    environment.run(until=len(index) * step_s)
    own = recorder.metrics["microgrids"]["site"]
    states = [tick["site"] for tick in recorder.log.values()]
    powers = [float(tick["dispatch_states"]["battery"]["current_power"]) if battery else 0.0 for tick in states]
    levels = [float(tick["dispatch_states"]["battery"]["charge_level"]) / 1000.0 if battery else None for tick in states]
    levels = levels[1:] + [float(battery.state()["charge_level"]) / 1000.0 if battery else None]
    kwh = lambda watts: sum(watts) * step_s / SECONDS_PER_HOUR / 1000.0
    totals = {
        "import_kwh": own["grid_import"] / 1000.0,
        "export_kwh": own["grid_export"] / 1000.0,
        "charge_kwh": kwh(max(0.0, power) for power in powers),
        "discharge_kwh": kwh(max(0.0, -power) for power in powers),
        "soc_end": float(battery.soc()) if battery else None,
        "import_g": own["import_emissions"] * 1000.0,
    }
    return totals, [(-float(tick["p_grid"]) / 1000.0, level) for tick, level in zip(states, levels)]


def make_inputs(vectors):
    """152 hours of July 2022: shapes and intensities of the example series that wattmark ships, and a load made up by rule."""
    example = pathlib.Path(__file__).parent.parent / "src/account/series/examples/ciso_2022.csv"
    with open(example, newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    most = {name: max(float(row[name] or 0) for row in rows) for name in ("solar_mwh", "wind_mwh")}
    first = next(i for i, row in enumerate(rows) if row["datetime_utc"] == "2022-07-01T00:00:00Z")
    with open(vectors / "inputs.csv", "w", newline="") as file:
        file.write("# Load: by rule. Solar, wind: 11 and 3 kW times the shape of CISO 2022 over its maximum; intensity: CISO 2022.\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["time", "load_kw", "solar_kw", "wind_kw", "g_per_kwh"])
        for hour, row in enumerate(rows[first : first + 152]):
            load = 6.5 if hour % 24 < 14 else 2.1 + 0.3 * (hour % 7)
            solar = 11.0 * float(row["solar_mwh"]) / most["solar_mwh"]
            wind = 3.0 * float(row["wind_mwh"]) / most["wind_mwh"]
            values = [f"{value:.6f}" for value in (load, solar, wind)]
            writer.writerow([row["datetime_utc"], *values, row["gco2e_per_kwh"]])


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--vectors", type=pathlib.Path, default=pathlib.Path("tests/fixtures/vessim"))
    arguments.add_argument("--check", action="store_true", help="write nothing; compare with what is written")
    arguments.add_argument("--make-inputs", action="store_true", help="write inputs.csv from the shipped example first")
    own = arguments.parse_args()
    if own.make_inputs:
        make_inputs(own.vectors)
    cases = json.loads((own.vectors / "cases.json").read_text())
    with open(own.vectors / "inputs.csv", newline="") as file:
        inputs = list(csv.DictReader(line for line in file if not line.startswith("#")))
    versions = {name: version(name) for name in ("vessim", "numpy", "pandas")}
    result = {"versions": {**versions, "python": platform.python_version()}, "cases": {}}
    columns = {}
    for case in cases["cases"]:
        totals, steps = run(case, inputs, case["step_s"], cases["start"])
        result["cases"][case["name"]] = totals
        if case.get("repeat_rows", 1) == 1:
            columns[case["name"]] = steps
        print(case["name"], json.dumps(totals))
    if own.check:
        kept = json.loads((own.vectors / "vessim.json").read_text())["cases"]
        close = lambda a, b: a == b or (a is not None and b is not None and abs(a - b) <= 1e-9 * max(abs(a), abs(b)))
        wrong = [
            f"{name} {key}" for name, now in result["cases"].items() for key in now if not close(now[key], kept[name][key])
        ]
        print("differs from what is kept: " + ", ".join(wrong) if wrong else "the same as what is kept")
        return 1 if wrong else 0
    (own.vectors / "vessim.json").write_text(json.dumps(result, indent=2) + "\n")
    with open(own.vectors / "vessim-steps.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", "step", "import_minus_export_kw", "stored_kwh"])
        for name, steps in columns.items():
            for index, (power, level) in enumerate(steps):
                writer.writerow([name, index, f"{power:.6f}", "" if level is None else f"{level:.6f}"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
