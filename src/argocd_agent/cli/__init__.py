"""The command lines: `argocd-agent` (main) runs the programs, `argocd-agentctl` (ctl) sets them up."""
