"""Time passes here: the discrete-event engine and its kernels."""
