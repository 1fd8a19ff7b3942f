"""Every literal of the contract with the peer and with users' objects. Spelled here and nowhere else.

Source: the wire contract in docs/protocol; the names are those of the Go reference v0.9 unless marked *ours*.
"""

# CloudEvents (https://github.com/cloudevents/spec, protobuf format)
SPEC_VERSION = "1.0"
CONTENT_TYPE_JSON = "application/json"
EVENT_TYPE_PREFIX = "io.argoproj.argocd-agent.event"
AGENT_SOURCE = "agent://agent-managed"  # a constant in both modes, as the reference sends it

# CloudEvent extension attributes
EXTENSION_RESOURCE_ID = "resourceid"
EXTENSION_EVENT_ID = "eventid"
EXTENSION_SENT_AT = "sentat"
EXTENSION_PRINCIPAL_UID = "principaluid"
EXTENSION_TRACE_PARENT = "traceparent"
EXTENSION_TRACE_STATE = "tracestate"
EXTENSION_REMAINING = "remainingms"  # ours: for how many milliseconds whoever asks still waits

# gRPC metadata
METADATA_AUTHORIZATION = "authorization"  # the bare access token, no "Bearer"
METADATA_PROTOCOL = "argocd-agent-protocol"  # ours: protocol number, an integer
METADATA_CAPABILITIES = "argocd-agent-capabilities"  # ours: names separated by commas
METADATA_WINDOW = "argocd-agent-window"  # ours: un-acked events that the sender of this accepts
METADATA_COMPRESSION = "argocd-agent-compression"  # ours: "gzip" asks for answers like that
METADATA_LOG_BYTES = "argocd-agent-log-bytes"  # ours: how much of a log has arrived, for who sends the rest
METADATA_PRINCIPAL_UID = "argocd-agent-principal-uid"  # ours: who the principal is

# Annotations
ANNOTATION_SOURCE_UID = "argocd.argoproj.io/source-uid"
ANNOTATION_PRINCIPAL_UID = "argocd.argoproj.io/principal-uid"
ANNOTATION_NAMESPACE_REMAPPED = "argocd.argoproj.io/namespace-remapped"
ANNOTATION_MISMATCH_POLICY = "argocd.argoproj.io/source-uid-mismatch-policy"
ANNOTATION_ADOPTION_POLICY = "argocd.argoproj.io/adoption-policy"
ANNOTATION_REFRESH = "argocd.argoproj.io/refresh"
ANNOTATION_NEXT_OPERATION = "argocd-agent.argoproj-labs.io/next-operation"  # ours: waits for the one that runs
ANNOTATION_REFUSED = "argocd-agent.argoproj-labs.io/refused"  # ours: on what an agent could not apply, and why
ANNOTATION_HELD_DELETIONS = "argocd-agent.argoproj-labs.io/held-deletions"  # ours: an operator's order about them
ANNOTATION_HELD_ORDER_PREFIX = "held-deletions.argocd-agent.argoproj-labs.io/"  # ours: the same on the hub; + agent
ANNOTATION_LAST_UPDATED = "argocd-agent.argoproj.io/last-updated"
ANNOTATION_NOTIFIED = "notified.notifications.argoproj.io"
ANNOTATION_OLM_GROUP = "olm.operatorGroup"  # of a ClusterServiceVersion: which OperatorGroup it belongs to
ANNOTATION_TRACKING_ID = "argocd.argoproj.io/tracking-id"
ANNOTATION_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ANNOTATION_SKIP_RECONCILE = "argocd.argoproj.io/skip-reconcile"
ANNOTATION_MANAGED_BY = "managed-by"
MANAGED_BY = "argocd-agent"

# Labels
LABEL_IGNORE_SYNC = "argocd-agent.argoproj-labs.io/ignore-sync"
LABEL_AGENT_NAME = "argocd-agent.argoproj-labs.io/agent-name"
LABEL_SELF_REGISTERED = "argocd-agent.argoproj-labs.io/self-registered-cluster"
LABEL_SECRET_TYPE = "argocd.argoproj.io/secret-type"
SECRET_TYPE_CLUSTER = "cluster"
SECRET_TYPE_REPOSITORY = "repository"
SECRET_TYPE_REPO_CREDS = "repo-creds"
LABEL_PART_OF = "app.kubernetes.io/part-of"
PART_OF_ARGOCD = "argocd"
LABEL_INSTANCE = "app.kubernetes.io/instance"  # Argo CD's default where it tracks by label

# Objects by name
CONFIGMAP_IDENTITY = "argocd-agent-principal-identity"
CONFIGMAP_IDENTITY_KEY = "principal-uid"
CONFIGMAP_BLOCKLIST = "argocd-agent-tls-blocklist"
CONFIGMAP_GPG_KEYS = "argocd-gpg-keys-cm"
CONFIGMAP_HELD_DELETIONS = "argocd-agent-held-deletions"  # ours: what the brake holds
CONFIGMAP_ARGOCD = "argocd-cm"  # Argo CD's own settings
CONFIGMAP_CONNECTIONS = "argocd-agent-connections"  # ours: who is connected, for people
SECRET_CA = "argocd-agent-ca"
SECRET_PRINCIPAL_TLS = "argocd-agent-principal-tls"
SECRET_RESOURCE_PROXY_TLS = "argocd-agent-resource-proxy-tls"
SECRET_CLIENT_TLS = "argocd-agent-client-tls"
SECRET_JWT = "argocd-agent-jwt"
SECRET_JWT_KEY = "jwt.key"
CLUSTER_SECRET_PREFIX = "cluster-"

# Conditions on Applications
CONDITION_AGENT_ERROR = "AgentError"  # set from an agent's error event, as the reference
CONDITION_REFUSED = "AgentRefused"  # ours: what the agent could not apply, and why
CONDITION_DELETION_HELD = "AgentDeletionHeld"  # ours: the brake keeps it

# Values written into objects
DESTINATION_IN_CLUSTER = "in-cluster"
DESTINATION_IN_CLUSTER_SERVER = "https://kubernetes.default.svc"
PHASE_TERMINATING = "Terminating"

# JWT (RFC 7519)
TOKEN_ISSUER = "argocd-agent-server"
TOKEN_AUDIENCE_ACCESS = "argocd-agent-server-access"
TOKEN_AUDIENCE_REFRESH = "argocd-agent-server-refresh"
TOKEN_AUDIENCE_RESOURCE_PROXY = "argocd-agent-server-resource-proxy"
TOKEN_ALGORITHM = "RS512"

# gRPC methods
METHOD_AUTHENTICATE = "/authapi.Authentication/Authenticate"
METHOD_REFRESH_TOKEN = "/authapi.Authentication/RefreshToken"
METHOD_VERSION = "/versionapi.Version/Version"
METHOD_SUBSCRIBE = "/eventstreamapi.EventStream/Subscribe"
METHOD_PUSH = "/eventstreamapi.EventStream/Push"
METHOD_PING = "/eventstreamapi.EventStream/Ping"
METHOD_STREAM_LOGS = "/principal.apis.logstreamapi.LogStreamService/StreamLogs"  # its package has this odd name
METHOD_STREAM_TERMINAL = "/terminalstreamapi.TerminalStreamService/StreamTerminal"
VERSION_PREFIX = "argocd-agent-"  # of the answer of the Version service
USER_AGENT = "argocd-agent/v0.0.1"
