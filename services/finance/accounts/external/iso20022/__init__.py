"""ISO 20022 files: statements (camt.053) go out.

The schema is the one that ISO 20022 publishes (https://www.iso20022.org), free to use under its policy on intellectual
property; it is unchanged.
"""
