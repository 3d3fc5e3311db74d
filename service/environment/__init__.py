"""What the machine and the environment's variables say: how many processors may be used, and which proxies."""
