"""The report of a study: ``report.write_report`` makes one HTML file with figures and methods."""
