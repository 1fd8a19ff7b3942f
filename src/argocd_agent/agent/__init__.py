"""The spoke. Start reading at run.py.

run          builds the parts and runs them in one task group
config       everything that can be set
keys         the agent's certificate and the principal's CA, current without a restart
connection   dial, authenticate, one session after another
inbound      what the principal sends → what is done about it
outbound     what changes on the spoke → what the principal is told
mirrors      what the principal last said about each Application
drift        a mirror that was changed or deleted on the spoke is put right
resync       both sides brought up to date on connecting, and now and then
cache        the cache of the spoke's Argo CD: its Redis, or ourselves
clusterinfo  how much there is on this cluster, for the hub to show
serve        what the hub asks for, answered here
buffer       statuses held back to one in an interval, if so set
held         deletions that are too many, until an operator says what becomes of them; heldfile: the ConfigMap
"""
