"""Write logs and serve health pages."""
