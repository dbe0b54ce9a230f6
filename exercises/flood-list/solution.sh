# The flood list of h2 lacks h3: append it.
overtap lab shell --lab ex-flood-list h2 -- overtap fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.0.2.3
