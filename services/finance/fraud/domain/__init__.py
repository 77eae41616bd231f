"""The aggregates of Fraud, profiles and cases, and the rules that they screen by."""
