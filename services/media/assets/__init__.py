"""Asset Processing: photographers upload pictures, which are inspected, indexed and found.

- **Asset**: a picture with its title and tags, from its upload until it is ready or rejected.
- **Content**: the bytes of a picture or of a preview, in long-term storage beside the log.
- **Inspection**: reads what a picture is by its content, what it says about itself, and how it looks.
- **Credits**: what a picture says about people and rights. They are personal data, and can be erased.
- **Processing**: the saga of an asset: inspect, index, make ready.
"""
