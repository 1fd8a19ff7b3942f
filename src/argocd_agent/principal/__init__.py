"""The hub. Start reading at run.py.

run          builds the parts and runs them in one task group
config       everything that can be set
agents       who is connected: join, leave, look up
clusters     which agents are registered, by Argo CD's cluster Secrets
outbound     what changes on the hub → events for the agent concerned
inbound      what agents send → what is done about it on the hub
gatekeeper   who may come in, and with which tokens
identity     who this principal is
connections  what the hub tells people about its agents' connections
auth         methods by which an agent proves who it is
"""
