"""The hub. Start reading at run.py.

run          builds the parts and runs them in one task group
config       everything that can be set
keys         the principal's certificate, the CA of agents and the key of tokens, current without a restart
gatekeeper   who may come in, and with which tokens; auth: the methods by which an agent proves who it is
agents       who is connected: join, leave, look up
sessions     one agent's stream, from open to close
clusters     which agents are registered, by Argo CD's cluster Secrets
registration agents that register themselves; sharedcertificate: the certificate that their clusters share
namespaces   the namespaces of autonomous agents: made where that is wanted, and missed when they go
outbound     what changes on the hub → events for the agent concerned
inbound      what agents send → what is done about it on the hub
resync       both sides brought up to date on connecting, and now and then
blocklist    certificates that must not come in
identity     who this principal is
clusterinfo  what Argo CD shows of agents' clusters, kept true in its Redis
redisface    the Redis that Argo CD talks to
pushes       what agents say of Redis subscriptions, to whoever subscribed
connections  what the hub tells people about its agents' connections
held         what agents' brakes hold, and orders about it; heldfile: the ConfigMap
"""
