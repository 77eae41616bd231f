"""The sagas of Asset Processing: the processing of an asset."""
