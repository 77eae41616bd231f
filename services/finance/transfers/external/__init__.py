"""Outside systems of Transfers: the customers' programs that send and read ISO 20022 files."""
