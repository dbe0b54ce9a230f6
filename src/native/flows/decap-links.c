/* The links and routes of the decapsulator (decap.h), by rtnetlink(7). Owns the messages. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>

#include "../host/netlink.h"
#include "../host/rtnetlink-request.h"
#include "decap.h"

/* Constants that older kernel headers lack. */
#ifndef IFLA_VXLAN_COLLECT_METADATA
#define IFLA_VXLAN_COLLECT_METADATA 25
#endif
#define NO_ADDRESSES 1 /* IN6_ADDR_GEN_MODE_NONE */

static int tell(int netlink, struct request *request) {
  return ot_netlink_ask(netlink, &request->header, 0, NULL, NULL);
}

int ot_decap_make_pair(int netlink, const char *ifname, const char *peer, int netns) {
  struct request request = link_request(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 0);
  static const struct ifinfomsg none;
  add_text(&request, IFLA_IFNAME, ifname);
  struct rtattr *info = begin_nest(&request, IFLA_LINKINFO);
  add_text(&request, IFLA_INFO_KIND, "veth");
  struct rtattr *data = begin_nest(&request, IFLA_INFO_DATA);
  struct rtattr *other = add(&request, VETH_INFO_PEER, &none, sizeof none);
  add_text(&request, IFLA_IFNAME, peer);
  add(&request, IFLA_NET_NS_FD, &netns, sizeof netns);
  end_nest(&request, other);
  end_nest(&request, data);
  end_nest(&request, info);
  return tell(netlink, &request);
}

int ot_decap_make_vxlan(int netlink, const char *ifname, int netns) {
  struct request request = link_request(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 0);
  uint16_t port = htons(OT_DECAP_PORT);
  uint8_t on = 1, off = 0;
  add_text(&request, IFLA_IFNAME, ifname);
  add(&request, IFLA_NET_NS_FD, &netns, sizeof netns);
  struct rtattr *info = begin_nest(&request, IFLA_LINKINFO);
  add_text(&request, IFLA_INFO_KIND, "vxlan");
  struct rtattr *data = begin_nest(&request, IFLA_INFO_DATA);
  add(&request, IFLA_VXLAN_COLLECT_METADATA, &on, sizeof on);
  add(&request, IFLA_VXLAN_LEARNING, &off, sizeof off);
  add(&request, IFLA_VXLAN_PORT, &port, sizeof port);
  add(&request, IFLA_VXLAN_UDP_ZERO_CSUM6_RX, &on, sizeof on);
  end_nest(&request, data);
  end_nest(&request, info);
  return tell(netlink, &request);
}

int ot_decap_set_up(int netlink, int index) {
  struct request quiet = link_request(RTM_SETLINK, NLM_F_ACK, index);
  uint8_t mode = NO_ADDRESSES;
  struct rtattr *families = begin_nest(&quiet, IFLA_AF_SPEC);
  struct rtattr *family = begin_nest(&quiet, AF_INET6);
  add(&quiet, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
  end_nest(&quiet, family);
  end_nest(&quiet, families);
  tell(netlink, &quiet); /* a host without IPv6 refuses it */
  return ot_link_set_up(netlink, index);
}

/* By this device, so that a check of source addresses (rp_filter) finds them behind it. */
static int add_local_route(int netlink, int family, int index) {
  struct request request;
  memset(&request, 0, sizeof request);
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.route);
  request.header.nlmsg_type = RTM_NEWROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
  request.route.rtm_family = (uint8_t)family;
  request.route.rtm_table = RT_TABLE_LOCAL;
  request.route.rtm_protocol = RTPROT_STATIC;
  request.route.rtm_scope = family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  request.route.rtm_type = RTN_LOCAL;
  add(&request, RTA_OIF, &index, sizeof index);
  return tell(netlink, &request);
}

int ot_decap_take_all(int netlink, int index) {
  int number = ot_link_accept_local(netlink, index);
  if (!number) number = add_local_route(netlink, AF_INET, index);
  add_local_route(netlink, AF_INET6, index); /* a host without IPv6 refuses it */
  return number;
}
