# p1-q1 and p2-q2 join the same two bridges: take one of the two cables away.
overtap lab shell --lab ex-mac-flapping h1 -- overtap link set p2 down
