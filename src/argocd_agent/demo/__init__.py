"""The real programs, started on one machine and narrated: start reading at tour.py.

tour (the narrated walk) · world (starts and stops the programs) · faults (a link that can be cut) ·
argo (a stand-in for Argo CD's application-controller, a process of its own beside each
spoke) · git (a repository to deploy from).
"""
