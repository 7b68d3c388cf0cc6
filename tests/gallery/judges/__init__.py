"""Independent relying parties that judge the issuers of the gallery, and what they said when they were asked last."""
