"""The walls around a service's process on this machine: which can be had, and how a process is started behind them."""
