"""What ``gluestick match`` reads, shows and writes."""
