"""The spoke: the program beside a workload cluster's Argo CD that dials the principal."""
