"""What stands where: exact to the bit on every machine."""
