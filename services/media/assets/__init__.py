"""Asset Processing: pictures are uploaded, inspected, indexed and searched."""
