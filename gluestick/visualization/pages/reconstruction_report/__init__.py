"""A page that shows a reconstruction: cameras, points and lines in space, and figures."""

from gluestick.visualization.pages.reconstruction_report.page import write_reconstruction_report
from gluestick.visualization.pages.reconstruction_report.scene import ReportScene

__all__ = ["ReportScene", "write_reconstruction_report"]
