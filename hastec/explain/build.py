"""The report of a plan."""

from __future__ import annotations

from hastec.explain.regions import region_reports
from hastec.explain.report import Report
from hastec.explain.subject import Subject
from hastec.explain.tables import table_reports


def explain(subject: Subject) -> Report:
    """Return what was chosen for a plan, why, and at what price.

    Pricing the dense kernels lowers their schedules: this takes as long as binding did.
    """
    device = subject.setup.device
    return Report(
        subject.graph.name,
        subject.setup.source.name,
        device.target.name,
        device.model or device.name,
        subject.setup.backend.name,
        tuple(sorted(subject.known.sizes.items())),
        subject.assumed,
        table_reports(subject),
        region_reports(subject),
        subject.notes,
    )
