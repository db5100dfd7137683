"""Jobs: what is to be learned or answered, independent of how it is split and of what it runs on."""
