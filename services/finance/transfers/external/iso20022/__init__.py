"""ISO 20022 files: payment initiations (pain.001) come in, and status reports (pain.002) go out.

The schemas are those that ISO 20022 publishes (https://www.iso20022.org), free to use under its policy on intellectual
property; they are unchanged.
"""
