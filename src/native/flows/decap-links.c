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
#include "decap.h"

/* Constants that older kernel headers lack. */
#ifndef IFLA_VXLAN_COLLECT_METADATA
#define IFLA_VXLAN_COLLECT_METADATA 25
#endif
#define NO_ADDRESSES 1 /* IN6_ADDR_GEN_MODE_NONE */

struct message {
  struct nlmsghdr header;
  union {
    struct ifinfomsg link;
    struct rtmsg route;
  };
  uint8_t rest[512];
};

static struct rtattr *put(struct message *message, int type, const void *data, size_t length) {
  struct rtattr *attribute = (struct rtattr *)((uint8_t *)message + message->header.nlmsg_len);
  attribute->rta_type = (unsigned short)type;
  attribute->rta_len = (unsigned short)RTA_LENGTH(length);
  if (length) memcpy(RTA_DATA(attribute), data, length);
  message->header.nlmsg_len += (uint32_t)RTA_ALIGN(attribute->rta_len);
  return attribute;
}

static void put_text(struct message *message, int type, const char *text) {
  put(message, type, text, strlen(text) + 1);
}

static struct rtattr *begin(struct message *message, int type) { return put(message, type, NULL, 0); }

static void end(struct message *message, struct rtattr *nest) {
  nest->rta_len = (unsigned short)((uint8_t *)message + message->header.nlmsg_len - (uint8_t *)nest);
}

static struct message link_message(int type, int flags, int index) {
  struct message message;
  memset(&message, 0, sizeof message);
  message.header.nlmsg_len = NLMSG_LENGTH(sizeof message.link);
  message.header.nlmsg_type = (uint16_t)type;
  message.header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
  message.link.ifi_index = index;
  return message;
}

static int tell(int netlink, struct message *message) {
  return ot_netlink_ask(netlink, &message->header, 0, NULL, NULL);
}

int ot_decap_make_pair(int netlink, const char *ifname, const char *peer, int netns) {
  struct message message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
  static const struct ifinfomsg none;
  put_text(&message, IFLA_IFNAME, ifname);
  struct rtattr *info = begin(&message, IFLA_LINKINFO);
  put_text(&message, IFLA_INFO_KIND, "veth");
  struct rtattr *data = begin(&message, IFLA_INFO_DATA);
  struct rtattr *other = put(&message, VETH_INFO_PEER, &none, sizeof none);
  put_text(&message, IFLA_IFNAME, peer);
  put(&message, IFLA_NET_NS_FD, &netns, sizeof netns);
  end(&message, other);
  end(&message, data);
  end(&message, info);
  return tell(netlink, &message);
}

int ot_decap_make_vxlan(int netlink, const char *ifname, int netns) {
  struct message message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
  uint16_t port = htons(OT_DECAP_PORT);
  uint8_t on = 1, off = 0;
  put_text(&message, IFLA_IFNAME, ifname);
  put(&message, IFLA_NET_NS_FD, &netns, sizeof netns);
  struct rtattr *info = begin(&message, IFLA_LINKINFO);
  put_text(&message, IFLA_INFO_KIND, "vxlan");
  struct rtattr *data = begin(&message, IFLA_INFO_DATA);
  put(&message, IFLA_VXLAN_COLLECT_METADATA, &on, sizeof on);
  put(&message, IFLA_VXLAN_LEARNING, &off, sizeof off);
  put(&message, IFLA_VXLAN_PORT, &port, sizeof port);
  put(&message, IFLA_VXLAN_UDP_ZERO_CSUM6_RX, &on, sizeof on);
  end(&message, data);
  end(&message, info);
  return tell(netlink, &message);
}

int ot_decap_set_up(int netlink, int index) {
  struct message quiet = link_message(RTM_SETLINK, 0, index);
  uint8_t mode = NO_ADDRESSES;
  struct rtattr *families = begin(&quiet, IFLA_AF_SPEC);
  struct rtattr *family = begin(&quiet, AF_INET6);
  put(&quiet, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
  end(&quiet, family);
  end(&quiet, families);
  tell(netlink, &quiet); /* a host without IPv6 refuses it */
  struct message up = link_message(RTM_SETLINK, 0, index);
  up.link.ifi_flags = up.link.ifi_change = IFF_UP;
  return tell(netlink, &up);
}

static int accept_local(int netlink, int index) {
  struct message message = link_message(RTM_SETLINK, 0, index);
  uint32_t on = 1;
  struct rtattr *families = begin(&message, IFLA_AF_SPEC);
  struct rtattr *family = begin(&message, AF_INET);
  struct rtattr *settings = begin(&message, IFLA_INET_CONF);
  put(&message, IPV4_DEVCONF_ACCEPT_LOCAL, &on, sizeof on);
  end(&message, settings);
  end(&message, family);
  end(&message, families);
  return tell(netlink, &message);
}

/* By this device, so that a check of source addresses (rp_filter) finds them behind it. */
static int add_local_route(int netlink, int family, int index) {
  struct message message;
  memset(&message, 0, sizeof message);
  message.header.nlmsg_len = NLMSG_LENGTH(sizeof message.route);
  message.header.nlmsg_type = RTM_NEWROUTE;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
  message.route.rtm_family = (uint8_t)family;
  message.route.rtm_table = RT_TABLE_LOCAL;
  message.route.rtm_protocol = RTPROT_STATIC;
  message.route.rtm_scope = family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  message.route.rtm_type = RTN_LOCAL;
  put(&message, RTA_OIF, &index, sizeof index);
  return tell(netlink, &message);
}

int ot_decap_take_all(int netlink, int index) {
  int number = accept_local(netlink, index);
  if (!number) number = add_local_route(netlink, AF_INET, index);
  add_local_route(netlink, AF_INET6, index); /* a host without IPv6 refuses it */
  return number;
}
