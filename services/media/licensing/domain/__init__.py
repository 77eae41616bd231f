"""The aggregates of Licensing: license types, the sales of assets, and licenses."""
