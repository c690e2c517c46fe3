"""One visible loop for every task, and what it needs: steps, checkpoints, processes, faults."""
