"""What is shown: metrics, tables, plots, reports, exports."""
