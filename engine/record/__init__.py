"""What is kept: journals, snapshots, hashes, and the files they stand in."""
