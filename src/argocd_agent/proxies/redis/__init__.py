"""The Redis that Argo CD on the hub talks to: the hub's own, with the keys of agents' applications read from spokes."""
