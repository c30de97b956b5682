"""Where does it run? NumPy or CuPy, devices, a batch spread over threads, matrix products."""
