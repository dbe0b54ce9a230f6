/* Makes the decapsulator (decap.h). Owns the order of its making, and the names of its devices. */
#include "decap.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The end of the pair in the namespace without a name. */
#define INNER "in0"
/* Switches of a host that have one, and others that have these names. */
#define MOST_NAMES 64

/* Descriptors that are needed while it is made: this namespace, and netlink sockets here and there. */
struct site {
  int here, netlink, inner;
};

static int open_own_netns(struct ot_fault *fault) {
  int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  return fd < 0 ? ot_fail(fault, errno, "open", "opening the thread's own network namespace") : fd;
}

/* Makes a namespace, and opens it and a netlink socket in it. The thread is here again afterwards. */
static int make_netns(struct site *site, struct ot_decap *decap, struct ot_fault *fault) {
  /* A sandbox may allow the way there, and not the way back. */
  if (setns(site->here, CLONE_NEWNET) < 0) return ot_fail(fault, errno, "setns", "staying in a network namespace");
  int home = dup(site->here);
  if (home < 0) return ot_fail(fault, errno, "dup", "making a network namespace");
  if (unshare(CLONE_NEWNET) < 0) {
    ot_fail(fault, errno, "unshare", "making a network namespace");
    close(home);
    return -1;
  }
  decap->netns = open_own_netns(fault);
  if (decap->netns >= 0) site->inner = ot_netlink_open(fault);
  ot_netns_leave(home);
  return site->inner < 0 ? -1 : 0;
}

static int refuse(int number, struct ot_fault *fault) {
  return ot_fail(fault, number, "netlink", "making a device that takes superframes out of tunnels");
}

/* The pair; its end here gets the first name that is free. */
static int make_pair(const struct site *site, struct ot_decap *decap, struct ot_fault *fault) {
  char ifname[IF_NAMESIZE];
  int number = EEXIST;
  for (int i = 0; i < MOST_NAMES && number == EEXIST; i++) {
    snprintf(ifname, sizeof ifname, "otdecap%d", i);
    number = ot_decap_make_pair(site->netlink, ifname, INNER, decap->netns);
  }
  if (number) return refuse(number, fault);
  decap->index = if_nametoindex(ifname);
  return decap->index ? 0 : refuse(errno, fault);
}

/* Its index. */
static int make_vxlan(const struct site *site, struct ot_fault *fault) {
  char ifname[IF_NAMESIZE];
  int number = EEXIST;
  for (int i = 0; i < MOST_NAMES && number == EEXIST; i++) {
    snprintf(ifname, sizeof ifname, "otvxlan%d", i);
    number = ot_decap_make_vxlan(site->inner, ifname, site->here);
  }
  int index = number ? 0 : (int)if_nametoindex(ifname);
  return index ? index : refuse(number ? number : errno, fault);
}

/* What is in the namespace without a name: all datagrams are for it. */
static int set_inner_up(const struct site *site, const struct ot_decap *decap, struct ot_fault *fault) {
  int home, index = 0;
  if (ot_netns_visit(decap->netns, &home, fault) < 0) return -1;
  index = (int)if_nametoindex(INNER);
  int number = index ? 0 : errno;
  ot_netns_leave(home);
  if (!number) number = ot_decap_set_up(site->inner, index);
  if (!number) number = ot_decap_take_all(site->inner, index);
  return number ? refuse(number, fault) : 0;
}

static int make(const struct site *site, const struct ot_flow_maps *maps, struct ot_decap *decap,
                struct ot_fault *fault) {
  if (make_pair(site, decap, fault) < 0 || set_inner_up(site, decap, fault) < 0) return -1;
  int vxlan = make_vxlan(site, fault);
  if (vxlan < 0) return -1;
  /* The program first: what comes before it would go to the host's stack. */
  decap->link = ot_flow_inside(maps, vxlan, fault);
  if (decap->link < 0) return -1;
  /* Whether its frames could come here at all. */
  struct ot_flow_maps with = *maps;
  with.decap = decap->index;
  int under = ot_flow_under(&with, 0, fault);
  if (under < 0) return -1;
  close(under);
  int number = ot_decap_set_up(site->netlink, vxlan);
  if (!number) number = ot_decap_set_up(site->netlink, (int)decap->index);
  return number ? refuse(number, fault) : 0;
}

int ot_decap_open(const struct ot_flow_maps *maps, struct ot_decap *decap, struct ot_fault *fault) {
  struct site site = {.netlink = -1, .inner = -1, .here = open_own_netns(fault)};
  int result = -1;
  *decap = (struct ot_decap){.netns = -1, .link = -1};
  if (site.here >= 0) site.netlink = ot_netlink_open(fault);
  if (site.netlink >= 0 && make_netns(&site, decap, fault) == 0) result = make(&site, maps, decap, fault);
  int done[] = {site.here, site.netlink, site.inner};
  for (int i = 0; i < 3; i++)
    if (done[i] >= 0) close(done[i]);
  if (result == 0) return 0;
  if (decap->link >= 0) close(decap->link);
  if (decap->netns >= 0) close(decap->netns);
  return -1;
}
