/*
 * The decapsulator: a vxlan device of the kernel's own that takes superframes out of their datagrams.
 *
 * A program can remove the outer headers of a frame, but not the marks of a tunnel that a superframe has besides
 * (SKB_GSO_UDP_TUNNEL, `encapsulation`): a guest that forwards such a frame into a tunnel of its own would lose it. The
 * kernel's tunnel devices clear them. So such a device is there for superframes alone, and nobody else can reach it:
 *
 *   underlay's device -> program (under.c) -> [otdecapN = in0, a vxlan socket] -> otvxlanN -> program (inside.c)
 *
 * What is in brackets lies in a network namespace that has no name, whose every address is local. The kernel removes
 * both devices with the last descriptor of that namespace, and so with the process.
 */
#ifndef OVERTAP_FLOWS_DECAP_H
#define OVERTAP_FLOWS_DECAP_H

#include "flows.h"

/* The UDP port of datagrams that it takes. */
#define OT_DECAP_PORT 4789

struct ot_decap {
  int netns, link; /* descriptors: of the namespace, and of the program's link */
  uint32_t index;  /* of otdecapN, for `bpf_redirect_peer` */
};

/* ---- decap.c ---- */

/* In the thread's namespace. Returns 0, or -1: the kernel lacks something, or does not allow it. */
int ot_decap_open(const struct ot_flow_maps *maps, struct ot_decap *decap, struct ot_fault *fault);

/* ---- decap-links.c: each returns 0 or an errno. `netlink`: a socket of the namespace ---- */

/* A pair: one end here, and `peer` in another namespace. */
int ot_decap_make_pair(int netlink, const char *ifname, const char *peer, int netns);
/* A vxlan device that takes every VNI, in another namespace than its socket, which is here. */
int ot_decap_make_vxlan(int netlink, const char *ifname, int netns);
/* Up, without IPv6 addresses of its own. */
int ot_decap_set_up(int netlink, int index);
/* Every address is one of this host's, and may be the source of what comes in by the device. */
int ot_decap_take_all(int netlink, int index);

/* ---- inside.c ---- */

/* Links the program that hands frames out of the vxlan device on. Returns the link, or -1. */
int ot_flow_inside(const struct ot_flow_maps *maps, int interface, struct ot_fault *fault);

#endif
