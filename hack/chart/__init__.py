"""What of the chart is made by a program: its CRD, its values' schema, its pages, its version."""
