#!/usr/bin/env python3
"""CodeCarbon and wattmark on the same kilowatt-hour at the same places, with the reason for every difference.

CodeCarbon's own computation is run (its `Emissions` class, offline, no API token); wattmark's factors are read from
`wattmark factors --json`. Prints a Markdown table of chosen places, then sums up all places that both know.

    python3 -m venv /tmp/codecarbon && /tmp/codecarbon/bin/pip install codecarbon==3.3.2
    /tmp/codecarbon/bin/python scripts/compare-codecarbon.py --wattmark target/release/wattmark

Exit codes: 0 every difference has a reason; 1 one has none; 2 CodeCarbon or wattmark is missing.
"""

import argparse
import json
import logging
import subprocess
import sys

SAME = 0.001  # relative difference below which two figures are the same, rounding of the sources
COUNTRIES = "CHN USA FRA POL IND NOR SWE DEU GBR JPN AUS CAN BRA ZAF".split()
ZONES = {"SE1": "SWE", "SE2": "SWE", "SE3": "SWE", "SE4": "SWE", "NO1": "NOR", "NO2": "NOR", "NO3": "NOR",
         "NO4": "NOR", "NO5": "NOR", "FI": "FIN"}


def fail(message):
    print(f"compare-codecarbon: {message}", file=sys.stderr)
    sys.exit(2)


class CodeCarbon:
    """Emissions of 1 kWh as CodeCarbon computes them, and what its data say about the figure."""

    def __init__(self):
        try:
            import codecarbon
            from codecarbon.core.emissions import Emissions
            from codecarbon.core.units import Energy
            from codecarbon.external.geography import GeoMetadata
            from codecarbon.input import DataSource
        except ImportError as error:
            fail(f"CodeCarbon cannot be imported ({error}); install it: pip install codecarbon==3.3.2")
        logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
        self.version = codecarbon.__version__
        self.data = DataSource()
        self.emissions = Emissions(self.data)
        self.kilowatt_hour = Energy.from_energy(kWh=1)
        self.place = GeoMetadata
        self.mix = self.data.get_global_energy_mix_data()
        self.provinces = self.data.get_china_provincial_emissions_data()["data"]

    def grams(self, country, region=None):
        """gCO2(e) of 1 kWh."""
        geo = self.place(country_iso_code=country, country_name=country, region=region)
        return self.emissions.get_private_infra_emissions(self.kilowatt_hour, geo) * 1e3

    def how(self, country):
        """Where CodeCarbon takes a country's figure from: (words, year, whether it is the published intensity)."""
        mix = self.mix.get(country)
        if mix is None:
            return "world average of 475 g (IEA 2019), the country is not in its table", None, False
        if mix.get("carbon_intensity") is not None:
            return "published intensity (OWID)", mix.get("year"), True
        return "own mix times its factors per source (gas 743, coal 995 g)", mix.get("year"), False


def wattmark_factors(program):
    """Newest factor of each region that wattmark holds."""
    try:
        output = subprocess.run([program, "factors", "--json"], check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        fail(f"wattmark's factors cannot be read with `{program} factors --json`: {error}")
    rows = json.loads(output)
    rows = rows if isinstance(rows, list) else rows["factors"]
    newest = {}
    for row in rows:
        row = row.get("factor", row)
        held = newest.get(row["region"])
        if held is None or (row["year"] or 0) > (held["year"] or 0):
            newest[row["region"]] = row
    return newest


def compare(theirs, factor, name, reason_of_difference):
    """One row: name, both figures, difference, reason."""
    ours = factor["intensity_g_per_kwh"]
    # A country whose generation is all hydro by its own table can have a factor of 0 in the series.
    difference = theirs / ours - 1.0 if ours else float(theirs > 0)
    reason = "same figure" if abs(difference) < SAME else reason_of_difference
    return name, theirs, f"{ours:.1f}", difference, reason


def country_reason(codecarbon, country, factor):
    words, year, published = codecarbon.how(country)
    if not published:
        return words
    if year != factor["year"]:
        return f"{words} of {year}; wattmark's is of {factor['year']}"
    return f"{words} of {year} in both; neither file names its edition, so the cause is not resolved"


def rows_of(codecarbon, factors):
    rows = []
    for code, province in codecarbon.provinces.items():
        if code in factors:
            reason = None  # both cite the same announcement: any difference is an error of one of them
            rows.append(compare(codecarbon.grams("CHN", province["description"]), factors[code],
                                f"{code} {factors[code]['name']}", reason))
    rows.append(compare(codecarbon.grams("CHN"), factors["CN"], "CN China, official",
                        "CodeCarbon has OWID (CO2e, upstream included); wattmark the official CO2 average"))
    rows.append(("CN-XZ Tibet", codecarbon.grams("CHN", "Tibet"), "refused", None,
                 "not published; CodeCarbon takes its national value, wattmark none"))
    for zone, country in ZONES.items():
        code = zone if zone in factors else f"{zone}-BZ"
        if code in factors:
            rows.append(compare(codecarbon.grams(country, zone), factors[code], f"{code} zone", None))
    for country in COUNTRIES:
        if country in factors:
            name = f"{country} {factors[country]['name']}"
            reason = country_reason(codecarbon, country, factors[country])
            rows.append(compare(codecarbon.grams(country), factors[country], name, reason))
    rows.append(("(a country that neither knows)", codecarbon.grams("XXX"), "refused", None,
                 "CodeCarbon takes its world average with a warning, wattmark refuses the code"))
    return rows


def print_table(rows):
    print("| place | CodeCarbon g/kWh | wattmark g/kWh | difference | reason |")
    print("|---|---:|---:|---:|---|")
    for name, theirs, ours, difference, reason in rows:
        shown = "–" if difference is None else f"{difference * 100:+.1f} %"
        print(f"| {name} | {theirs:.1f} | {ours} | {shown} | {reason or 'NOT EXPLAINED'} |")


def sum_up(codecarbon, factors):
    """All countries that both know, by reason; returns the differences without one."""
    groups = {}
    both = [code for code in codecarbon.mix if code in factors]
    for code in both:
        _, _, _, difference, reason = compare(codecarbon.grams(code), factors[code], code,
                                              country_reason(codecarbon, code, factors[code]))
        groups.setdefault(reason, []).append((abs(difference), code))
    print(f"\nAll {len(both)} countries that both know:\n")
    print("| reason | countries | median difference | largest |")
    print("|---|---:|---:|---|")
    for reason, found in sorted(groups.items(), key=lambda group: -len(group[1])):
        found.sort()
        median = found[len(found) // 2][0]
        largest, code = found[-1]
        print(f"| {reason} | {len(found)} | {median * 100:.1f} % | {code}, {largest * 100:.1f} % |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wattmark", default="wattmark", help="the program to compare with")
    args = parser.parse_args()
    codecarbon = CodeCarbon()
    factors = wattmark_factors(args.wattmark)
    print(f"1 kWh by CodeCarbon {codecarbon.version} and by wattmark, PUE 1:\n")
    rows = rows_of(codecarbon, factors)
    print_table(rows)
    sum_up(codecarbon, factors)
    unexplained = [row[0] for row in rows if row[4] is None]
    if unexplained:
        print(f"\nwithout a reason: {', '.join(unexplained)}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
