"""The egress proxy: the one way by which a service reaches hosts outside, and only those that its service.yaml names.

A process of its own, so that what strangers' servers send is never read by the gateway. Each service has a socket of its own;
which one a connection came in by says whose it is.
"""
