/*
 * Links, addresses and routes by rtnetlink(7), in the namespace where the socket was opened. One request at a time;
 * each waits for its answer.
 */
#include "link-plain.h"
#include "netlink.h"
#include "rtnetlink-request.h"
#include "../overtap.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef IFLA_CARRIER
#define IFLA_CARRIER 33
#endif
#ifndef IFLA_GSO_MAX_SEGS
#define IFLA_GSO_MAX_SEGS 40
#endif
#ifndef IFA_F_NODAD
#define IFA_F_NODAD 0x02
#endif

/* Bonds in bridges in VRFs, and the like. */
#define MOST_MASTERS 8

/* Notifications read per call, so that a stream of them does not hold the reader up. */
#define MOST_NOTICES 256

/* The alias (ip-link(8)) that marks persistent TAPs made by overtap. */
static const char MARK[] = "overtap";

int ot_netlink_open(struct ot_fault *fault) {
  int fd = ot_netlink_socket(NETLINK_ROUTE);
  if (fd < 0) return ot_fail(fault, errno, "socket", "opening a netlink socket");
  return fd;
}

int ot_links_open(int *netlink, struct ot_fault *fault) {
  *netlink = ot_netlink_open(fault);
  if (*netlink >= 0) return 0;
  int number = fault->number;
  bool is_short = number == EMFILE || number == ENFILE || number == ENOMEM || number == ENOBUFS;
  return is_short ? -1 : 0;
}

int ot_netlink_listen(struct ot_fault *fault) {
  int group = RTNLGRP_LINK, fd = ot_netlink_open(fault);
  /* A connected socket has an address and cannot be bound again: groups are joined by option. */
  if (fd < 0 || setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) == 0) return fd;
  ot_fail(fault, errno, "setsockopt", "listening for changes of links");
  close(fd);
  return -1;
}

/* The link's index in a notification, or 0. */
static int read_notice(const uint8_t *bytes, size_t length) {
  struct ot_datagram rest = {.at = bytes, .left = length};
  struct ifinfomsg link;
  for (const struct nlmsghdr *at = ot_netlink_next(&rest); at; at = ot_netlink_next(&rest)) {
    if (at->nlmsg_type != RTM_NEWLINK && at->nlmsg_type != RTM_DELLINK) continue;
    if (ot_netlink_payload(at) < sizeof link) continue;
    memcpy(&link, NLMSG_DATA(at), sizeof link);
    if (link.ifi_index > 0) return link.ifi_index;
  }
  return 0;
}

int ot_link_changed(int listener) {
  for (int i = 0; i < MOST_NOTICES; i++) {
    uint8_t *datagram;
    long length = ot_netlink_receive(listener, 0, true, &datagram);
    if (length < 0) return errno == ETIMEDOUT ? 0 : -1;
    int index = read_notice(datagram, (size_t)length);
    free(datagram);
    if (index) return index;
  }
  return -1;
}

/* The attributes behind a message's fixed part, and their length; NULL: the message is shorter than that part. */
static const struct rtattr *attributes(const struct nlmsghdr *message, size_t fixed, int *left) {
  size_t payload = ot_netlink_payload(message), from = NLMSG_ALIGN(fixed);
  *left = payload > from && payload - from <= INT32_MAX ? (int)(payload - from) : 0;
  return payload < fixed ? NULL : (const struct rtattr *)((const uint8_t *)NLMSG_DATA(message) + from);
}

/* IFLA_AF_SPEC has one attribute per family; IPv4's holds the settings as an array of words. */
static void read_families(const struct rtattr *families, struct ot_link *link) {
  int left = (int)RTA_PAYLOAD(families);
  for (const struct rtattr *family = RTA_DATA(families); RTA_OK(family, left); family = RTA_NEXT(family, left)) {
    if (family->rta_type != AF_INET) continue;
    int rest = (int)RTA_PAYLOAD(family);
    for (const struct rtattr *at = RTA_DATA(family); RTA_OK(at, rest); at = RTA_NEXT(at, rest)) {
      if (at->rta_type != IFLA_INET_CONF || RTA_PAYLOAD(at) < IPV4_DEVCONF_PROMOTE_SECONDARIES * 4) continue;
      uint32_t setting;
      memcpy(&setting, (const uint8_t *)RTA_DATA(at) + (IPV4_DEVCONF_PROMOTE_SECONDARIES - 1) * 4, 4);
      link->promotes = setting != 0;
    }
  }
}

/* With or without a terminating zero. */
static bool is_mark(const void *alias, size_t length) {
  return (length == sizeof MARK || length == sizeof MARK - 1) && !memcmp(alias, MARK, length);
}

/* Whether IFLA_LINKINFO names this kind of device. */
static bool is_of_kind(const struct rtattr *info, const char *kind) {
  int left = (int)RTA_PAYLOAD(info);
  for (const struct rtattr *at = RTA_DATA(info); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
    size_t length = RTA_PAYLOAD(at), wanted = strlen(kind);
    if (at->rta_type != IFLA_INFO_KIND || length < wanted || memcmp(RTA_DATA(at), kind, wanted)) continue;
    return length == wanted || ((const char *)RTA_DATA(at))[wanted] == 0;
  }
  return false;
}

static int read_link(const struct nlmsghdr *message, void *answer) {
  int left;
  const struct rtattr *first = attributes(message, sizeof(struct ifinfomsg), &left);
  if (!first) return EPROTO;
  const struct ifinfomsg *info = NLMSG_DATA(message);
  struct ot_link *link = answer;
  memset(link, 0, sizeof *link);
  link->index = info->ifi_index;
  link->flags = info->ifi_flags;
  /* Where the carrier is not reported, IFF_RUNNING stands for it. */
  link->carrier = (info->ifi_flags & IFF_RUNNING) != 0;
  for (const struct rtattr *at = first; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
    size_t length = RTA_PAYLOAD(at);
    if (at->rta_type == IFLA_GSO_MAX_SEGS && length >= 4) memcpy(&link->gso_segments, RTA_DATA(at), 4);
    if (at->rta_type == IFLA_MTU && length >= 4) memcpy(&link->mtu, RTA_DATA(at), 4);
    if (at->rta_type == IFLA_ADDRESS && length == 6) memcpy(link->mac, RTA_DATA(at), 6);
    if (at->rta_type == IFLA_AF_SPEC) read_families(at, link);
    if (at->rta_type == IFLA_CARRIER && length >= 1) link->carrier = *(const uint8_t *)RTA_DATA(at) != 0;
    if (at->rta_type == IFLA_IFALIAS) link->is_marked = is_mark(RTA_DATA(at), length);
    if (at->rta_type == IFLA_MASTER && length >= 4) memcpy(&link->master, RTA_DATA(at), 4);
    if (at->rta_type == IFLA_LINKINFO) link->is_vrf = is_of_kind(at, "vrf");
  }
  return 0;
}

static int ask_for(int netlink, struct request *request, int type, ot_netlink_reader *read, void *answer) {
  return ot_netlink_ask(netlink, &request->header, type, read, answer);
}

static int ask(int netlink, struct request *request) { return ask_for(netlink, request, 0, NULL, NULL); }

/* By ioctls (link-state.c): IFF_RUNNING stands for the carrier, and a mark is not seen. */
static int look_without(const char *ifname, struct ot_link *link) {
  int number = ot_link_look(ifname, link);
  link->carrier = !number && (link->flags & IFF_RUNNING);
  return number;
}

int ot_link_get(int netlink, const char *ifname, struct ot_link *link) {
  if (netlink < 0) return look_without(ifname, link);
  struct request request = link_request(RTM_GETLINK, 0, 0);
  add(&request, IFLA_IFNAME, ifname, strlen(ifname) + 1);
  return ask_for(netlink, &request, RTM_NEWLINK, read_link, link);
}

int ot_link_vrf(int netlink, const char *ifname, char vrf[OT_NAME]) {
  struct ot_link link;
  vrf[0] = 0;
  if (netlink < 0) return 0;
  int number = ot_link_get(netlink, ifname, &link);
  for (int i = 0; !number && !link.is_vrf && link.master && i < MOST_MASTERS; i++) {
    struct request request = link_request(RTM_GETLINK, 0, link.master);
    number = ask_for(netlink, &request, RTM_NEWLINK, read_link, &link);
    /* A master that has gone meanwhile is none. */
    if (number == ENODEV) return 0;
  }
  if (!number && link.is_vrf && !if_indextoname((unsigned)link.index, vrf)) vrf[0] = 0;
  return number;
}

int ot_link_set_mtu(int netlink, int index, unsigned mtu) {
  if (netlink < 0) return ot_plain_set_mtu(index, mtu);
  struct request request = link_request(RTM_SETLINK, NLM_F_ACK, index);
  add(&request, IFLA_MTU, &mtu, sizeof mtu);
  return ask(netlink, &request);
}

int ot_link_set_mac(int netlink, int index, const uint8_t mac[6]) {
  if (netlink < 0) return ot_plain_set_mac(index, mac);
  struct request request = link_request(RTM_SETLINK, NLM_F_ACK, index);
  add(&request, IFLA_ADDRESS, mac, 6);
  return ask(netlink, &request);
}

int ot_link_set_gso_segments(int netlink, int index, unsigned segments) {
  if (netlink < 0) return EOPNOTSUPP;
  struct request request = link_request(RTM_SETLINK, NLM_F_ACK, index);
  add(&request, IFLA_GSO_MAX_SEGS, &segments, sizeof segments);
  return ask(netlink, &request);
}

int ot_link_set_name(int netlink, int index, const char *ifname) {
  if (netlink < 0) return EOPNOTSUPP;
  struct request request = link_request(RTM_SETLINK, NLM_F_ACK, index);
  add(&request, IFLA_IFNAME, ifname, strlen(ifname) + 1);
  return ask(netlink, &request);
}

int ot_link_set_netns(int netlink, int index, int netns, const char *ifname) {
  struct request request = link_request(RTM_SETLINK, NLM_F_ACK, index);
  add(&request, IFLA_IFNAME, ifname, strlen(ifname) + 1);
  uint32_t descriptor = (uint32_t)netns;
  add(&request, IFLA_NET_NS_FD, &descriptor, sizeof descriptor);
  return ask(netlink, &request);
}

int ot_link_mark(int netlink, int index) {
  if (netlink < 0) return EOPNOTSUPP;
  struct request request = link_request(RTM_SETLINK, NLM_F_ACK, index);
  add(&request, IFLA_IFALIAS, MARK, sizeof MARK - 1);
  return ask(netlink, &request);
}

int ot_link_set_up(int netlink, int index) {
  if (netlink < 0) return ot_plain_set_up(index);
  struct request request = link_request(RTM_SETLINK, NLM_F_ACK, index);
  request.link.ifi_flags = IFF_UP;
  request.link.ifi_change = IFF_UP;
  return ask(netlink, &request);
}

/* A setting of IPv4 (IPV4_DEVCONF_*) of a device. */
static int set_ipv4(int netlink, int index, int setting, bool on) {
  struct request request = link_request(RTM_SETLINK, NLM_F_ACK, index);
  uint32_t value = on;
  struct rtattr *families = begin_nest(&request, IFLA_AF_SPEC);
  struct rtattr *family = begin_nest(&request, AF_INET);
  struct rtattr *settings = begin_nest(&request, IFLA_INET_CONF);
  add(&request, setting, &value, sizeof value);
  end_nest(&request, settings);
  end_nest(&request, family);
  end_nest(&request, families);
  return ask(netlink, &request);
}

int ot_link_set_promotion(int netlink, int index, bool on) {
  if (netlink < 0) return 0; /* each address has a label of its own (link-plain.c) */
  return set_ipv4(netlink, index, IPV4_DEVCONF_PROMOTE_SECONDARIES, on);
}

int ot_link_accept_local(int netlink, int index) {
  if (netlink < 0) return EOPNOTSUPP;
  return set_ipv4(netlink, index, IPV4_DEVCONF_ACCEPT_LOCAL, true);
}

static int address_request(int netlink, int type, int flags, int index, const struct ot_address *address) {
  struct request request;
  memset(&request, 0, sizeof request);
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.address);
  request.header.nlmsg_type = (uint16_t)type;
  request.header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
  request.address.ifa_family = (uint8_t)address->family;
  request.address.ifa_prefixlen = (uint8_t)address->prefix;
  request.address.ifa_index = (uint32_t)index;
  /* The operator chose the address: duplicate address detection would only delay the guest by a second. */
  if (address->family == AF_INET6) request.address.ifa_flags = IFA_F_NODAD;
  size_t length = address->family == AF_INET6 ? 16 : 4;
  add(&request, IFA_LOCAL, address->bytes, length);
  add(&request, IFA_ADDRESS, address->bytes, length);
  return ask(netlink, &request);
}

int ot_address_set(int netlink, int index, const struct ot_address *address) {
  if (netlink < 0) return ot_plain_address_set(index, address);
  /* An existing address, as on a TAP that is taken over, is no error. */
  return address_request(netlink, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, index, address);
}

int ot_address_remove(int netlink, int index, const struct ot_address *address) {
  if (netlink < 0) return ot_plain_address_remove(index, address);
  int number = address_request(netlink, RTM_DELADDR, 0, index, address);
  /* A missing address is success. ENXIO: the device has no IPv6. */
  return number == EADDRNOTAVAIL || number == ENXIO ? 0 : number;
}

static void set_hop(struct ot_route *route, int family, const void *address) {
  route->hop_family = family;
  memset(route->hop, 0, sizeof route->hop);
  memcpy(route->hop, address, family == AF_INET6 ? 16 : 4);
}

static void read_metrics(const struct rtattr *metrics, struct ot_route *route) {
  int left = (int)RTA_PAYLOAD(metrics);
  for (const struct rtattr *at = RTA_DATA(metrics); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
    if (RTA_PAYLOAD(at) < 4) continue;
    if (at->rta_type == RTAX_MTU) memcpy(&route->mtu, RTA_DATA(at), 4);
    if (at->rta_type == RTAX_HOPLIMIT) memcpy(&route->hop_limit, RTA_DATA(at), 4);
  }
}

/* The next hop is the destination unless there is a gateway, possibly of the other family (RTA_VIA). */
static int read_route(const struct nlmsghdr *message, void *answer) {
  int left;
  const struct rtattr *first = attributes(message, sizeof(struct rtmsg), &left);
  if (!first) return EPROTO;
  const struct rtmsg *info = NLMSG_DATA(message);
  struct ot_route *route = answer;
  route->type = info->rtm_type;
  size_t size = info->rtm_family == AF_INET6 ? 16 : 4;
  for (const struct rtattr *at = first; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
    const uint8_t *data = RTA_DATA(at);
    size_t length = RTA_PAYLOAD(at);
    if (at->rta_type == RTA_OIF && length >= 4) memcpy(&route->device, data, 4);
    if (at->rta_type == RTA_GATEWAY && length >= size) set_hop(route, info->rtm_family, data);
    /* The only kind is an IPv6 gateway of an IPv4 route. */
    if (at->rta_type == RTA_VIA && length >= 2 + 16) set_hop(route, AF_INET6, data + 2);
    if (at->rta_type == RTA_METRICS) read_metrics(at, route);
    if (at->rta_type != RTA_PREFSRC || length < size) continue;
    memcpy(route->source, data, size);
    route->has_source = true;
  }
  return 0;
}

int ot_route_get(int netlink, int family, const void *destination, const void *source, uint32_t device,
                 struct ot_route *route) {
  struct request request;
  size_t size = family == AF_INET6 ? 16 : 4;
  memset(&request, 0, sizeof request);
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.route);
  request.header.nlmsg_type = RTM_GETROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.route.rtm_family = (uint8_t)family;
  request.route.rtm_dst_len = (uint8_t)(size * 8);
  add(&request, RTA_DST, destination, size);
  if (source) {
    request.route.rtm_src_len = (uint8_t)(size * 8);
    add(&request, RTA_SRC, source, size);
  }
  if (device) add(&request, RTA_OIF, &device, sizeof device);
  memset(route, 0, sizeof *route);
  set_hop(route, family, destination);
  return ask_for(netlink, &request, RTM_NEWROUTE, read_route, route);
}
