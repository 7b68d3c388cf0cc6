"""What a release publishes, made and looked at without publishing anything: the image, the chart, the bill of materials."""
