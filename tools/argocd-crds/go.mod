// Names the version of Argo CD whose CustomResourceDefinitions the cluster lane installs; nothing of it is compiled.
module argocd-agent.tools/argocd-crds

go 1.26.0
