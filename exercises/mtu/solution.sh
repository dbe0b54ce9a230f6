# Let the switch set the MTU of the guests: the underlay's 1500 less 50 bytes of outer headers.
overtap lab shell --lab ex-mtu h1 -- overtap link set alice mtu auto
overtap lab shell --lab ex-mtu h2 -- overtap link set bob mtu auto
