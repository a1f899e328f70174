#!/usr/bin/env python3
"""Reads mynah's CSV files as scripts for Locust do, and says what such a script would stumble over.

    locust_csv.py PREFIX RUN.json

The columns are those of Locust itself where it is installed, else as its documentation of 2.x has them; pandas reads the files
too where it is there. Exits 1 at the first thing that is wrong.
"""

import csv
import json
import sys
from datetime import datetime

PERCENTILES = ["50%", "66%", "75%", "80%", "90%", "95%", "98%", "99%", "99.9%", "99.99%", "100%"]
COLUMNS = {
    "stats": ["Type", "Name", "Request Count", "Failure Count", "Median Response Time", "Average Response Time",
              "Min Response Time", "Max Response Time", "Average Content Size", "Requests/s", "Failures/s", *PERCENTILES],
    "stats_history": ["Timestamp", "User Count", "Type", "Name", "Requests/s", "Failures/s", *PERCENTILES,
                      "Total Request Count", "Total Failure Count", "Total Median Response Time",
                      "Total Average Response Time", "Total Min Response Time", "Total Max Response Time",
                      "Total Average Content Size"],
    "failures": ["Method", "Name", "Error", "Occurrences", "First Seen", "Last Seen"],
    "exceptions": ["Count", "Message", "Traceback", "Nodes"],
}


def of_locust():
    """What the installed Locust writes, and its version; None where there is none."""
    try:
        import tempfile

        import locust
        from locust.env import Environment
        from locust.stats import PERCENTILES_TO_REPORT, StatsCSVFileWriter
    except ImportError:
        return None
    with tempfile.TemporaryDirectory() as folder:
        writer = StatsCSVFileWriter(Environment(), PERCENTILES_TO_REPORT, f"{folder}/x")
        columns = {
            "stats": writer.requests_csv_columns,
            "stats_history": writer.stats_history_csv_columns,
            "failures": writer.failures_columns,
            "exceptions": writer.exceptions_columns,
        }
        writer.close_files()
    return columns, locust.__version__


def number(text):
    return None if text == "N/A" else float(text)


def check(what, fine):
    if not fine:
        sys.exit(f"wrong: {what}")


def main(prefix, run):
    known = of_locust()
    columns = known[0] if known else COLUMNS
    files = {}
    for name, wanted in columns.items():
        with open(f"{prefix}_{name}.csv", newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            files[name] = list(reader)
            check(f"{name}: columns {reader.fieldnames}, not {wanted}", reader.fieldnames == wanted)
        check(f"{name}: a row of another length", all(None not in row and None not in row.values() for row in files[name]))

    with open(run, encoding="utf-8") as file:
        run = json.load(file)
    rows = {(row["Type"], row["Name"]): row for row in files["stats"]}
    total = files["stats"][-1]
    check("the last row is not Aggregated", (total["Type"], total["Name"]) == ("", "Aggregated"))
    check("Request Count", int(total["Request Count"]) == run["requests"])
    check("Failure Count", int(total["Failure Count"]) == run["failures"])
    check("rows do not add up", sum(int(row["Request Count"]) for row in files["stats"][:-1]) == run["requests"])
    for endpoint in run["endpoints"]:
        row = rows.get((endpoint["method"], endpoint["name"]))
        check(f"no row for {endpoint['name']}", row is not None)
        times = endpoint["response_time_ms"]
        check(f"{endpoint['name']}: 95%", abs(number(row["95%"]) - times["p95"]) <= 0.5)
        check(f"{endpoint['name']}: 100%", abs(number(row["100%"]) - times["max"]) <= 0.5)
        quantiles = [number(row[name]) for name in PERCENTILES]
        check(f"{endpoint['name']}: percentiles fall", quantiles == sorted(quantiles))
        check(f"{endpoint['name']}: a percentile is not whole", all(row[name].isdigit() for name in PERCENTILES))
        check(f"{endpoint['name']}: mean", float(row["Min Response Time"]) <= float(row["Average Response Time"]) <= float(row["Max Response Time"]))

    history = files["stats_history"]
    stamps = [int(row["Timestamp"]) for row in history]
    check("history is not one row a second", stamps == list(range(stamps[0], stamps[0] + len(stamps))) and len(stamps) == len(run["seconds"]))
    counts = [int(row["Total Request Count"]) for row in history]
    check("history's totals fall", counts == sorted(counts) and counts[-1] == run["requests"])
    check("history has no numbers", all(float(row["Requests/s"]) >= 0 and int(row["User Count"]) >= 0 for row in history))
    for row in history:
        for name in PERCENTILES:
            number(row[name])

    check("failures do not add up", sum(int(row["Occurrences"]) for row in files["failures"]) == run["failures"])
    for row in files["failures"]:
        first, last = (datetime.strptime(row[name], "%Y-%m-%dT%H:%M:%SZ") for name in ("First Seen", "Last Seen"))
        check("a failure's last is before its first", first <= last)
    check("exceptions are of users' code, of which there is none", files["exceptions"] == [])

    pandas = "not there"
    try:
        import pandas as pd

        frames = {name: pd.read_csv(f"{prefix}_{name}.csv") for name in columns}
        check("pandas: no numbers", frames["stats"]["Request Count"].dtype.kind == "i")
        check("pandas: no numbers in history", frames["stats_history"]["95%"].dtype.kind in "if")
        pandas = pd.__version__
    except ImportError:
        pass
    print(f"columns of Locust {known[1] if known else '2.x, as documented'}; pandas {pandas}; {len(files['stats'])} rows, {len(history)} seconds: all read")


if __name__ == "__main__":
    main(*sys.argv[1:])
