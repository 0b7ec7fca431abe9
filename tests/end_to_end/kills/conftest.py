"""Prints the kill table at the end of a run that had cells of it."""

from .table import CELLS


def pytest_terminal_summary(terminalreporter):
    """One line a cell: cause, files, processes left, seconds, and how many of its rounds passed."""
    passed: dict[str, list[dict]] = {}
    failed: dict[str, int] = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            if "kill_table" not in report.nodeid or not hasattr(report, "user_properties"):
                continue
            found = {key[5:]: value for key, value in report.user_properties if key.startswith("kill_")}
            if found:
                passed.setdefault(found["cell"], []).append(found)
            elif outcome != "passed":
                failed[report.nodeid] = failed.get(report.nodeid, 0) + 1
    if not passed:
        return
    write = terminalreporter.write_line
    write("")
    write(f"{'cell':<34} {'cause':<12} {'files':<13} {'left':<5} {'healed s':<16} passed")
    for cell in CELLS:
        rows = passed.get(cell.name, [])
        if cell.impossible:
            write(f"{cell.name:<34} cannot be: {cell.impossible}")
        elif rows:
            causes, files = {row["cause"] for row in rows}, {row["files"] for row in rows}
            healed = " ".join(f"{row['healed_seconds']:.0f}" for row in rows)
            write(
                f"{cell.name:<34} {'/'.join(causes):<12} {'/'.join(files):<13} "
                f"{'/'.join({row['left'] for row in rows}):<5} {healed:<16} {len(rows)}"
            )
            write(f"    {rows[0]['proof']}")
            write(f"    {rows[0]['why']}")
    for nodeid in failed:
        write(f"not passed: {nodeid}")
