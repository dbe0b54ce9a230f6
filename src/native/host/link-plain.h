/* What rtnetlink.c does by ioctls where there is no netlink. Each returns 0 or an errno. */
#ifndef OVERTAP_LINK_PLAIN_H
#define OVERTAP_LINK_PLAIN_H

#include <netinet/in.h>

#include "../overtap.h"

int ot_plain_set_mtu(int index, unsigned mtu);
int ot_plain_set_mac(int index, const uint8_t mac[6]);
int ot_plain_set_up(int index);
/* An existing address is no error, nor is a missing one that is removed. */
int ot_plain_address_set(int index, const struct ot_address *address);
int ot_plain_address_remove(int index, const struct ot_address *address);

struct ot_plain_address {
  char ifname[OT_NAME];
  bool up; /* set up, and with a carrier */
  char text[INET6_ADDRSTRLEN];
};

/* The IP addresses of the thread's namespace, at most `room`. Returns their number, or -1 with errno. */
int ot_plain_addresses(struct ot_plain_address *addresses, int room);

#endif
