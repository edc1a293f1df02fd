"""A matched pair as files: what the command line and the web page write and say of it."""
