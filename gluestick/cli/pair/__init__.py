"""What ``gluestick match`` reads and shows."""
