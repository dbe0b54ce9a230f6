/*
 * Detects firewall rules at the hooks `output` and `postrouting`, and IPsec policies, in the thread's namespace.
 * Superframes of the GSO TAP would bypass them. Changes nothing, except that the kernel may load the module of a
 * queried subsystem.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../host/netlink.h"
#include "gso-tap.h"

/*
 * A query for a missing subsystem makes the kernel run modprobe and wait, in the engine's turn. So it is repeated
 * seldom, unless the module has been loaded meanwhile.
 */
#define ABSENT_MS 60000

struct question {
  struct nlmsghdr header;
  union {
    struct nfgenmsg netfilter;
    uint32_t flags;
  };
};

enum answer { NOBODY, SOMEBODY, MORE, ABSENT };

#define ATTRIBUTES(message, size) ((const struct nlattr *)((const uint8_t *)NLMSG_DATA(message) + NLMSG_ALIGN(size)))
/* Their length in bytes; 0 or less: none. */
#define ATTRIBUTES_LENGTH(message, size) ((long)ot_netlink_payload(message) - (long)NLMSG_ALIGN(size))

/* The attribute of this type within `length` bytes, or NULL. */
static const struct nlattr *find(const struct nlattr *at, long length, int type) {
  while (length >= NLA_HDRLEN && at->nla_len >= NLA_HDRLEN && at->nla_len <= length) {
    if ((at->nla_type & NLA_TYPE_MASK) == type) return at;
    length -= NLA_ALIGN(at->nla_len);
    at = (const struct nlattr *)((const uint8_t *)at + NLA_ALIGN(at->nla_len));
  }
  return NULL;
}

static const uint8_t *payload(const struct nlattr *at) { return (const uint8_t *)at + NLA_HDRLEN; }

/* A chain of nftables (iptables-nft uses them too). Only base chains have a hook. */
static enum answer read_chain(const struct nlmsghdr *message) {
  const struct nfgenmsg *chain = NLMSG_DATA(message);
  if (ot_netlink_payload(message) < sizeof *chain) return SOMEBODY;
  uint8_t family = chain->nfgen_family;
  if (family != NFPROTO_INET && family != NFPROTO_IPV4 && family != NFPROTO_IPV6) return MORE;
  const struct nlattr *hook =
      find(ATTRIBUTES(message, sizeof *chain), ATTRIBUTES_LENGTH(message, sizeof *chain), NFTA_CHAIN_HOOK);
  const struct nlattr *number =
      hook ? find((const struct nlattr *)payload(hook), hook->nla_len - NLA_HDRLEN, NFTA_HOOK_HOOKNUM) : NULL;
  if (!number || number->nla_len < NLA_HDRLEN + 4) return MORE;
  uint32_t value;
  memcpy(&value, payload(number), 4);
  value = ntohl(value);
  return value == NF_INET_LOCAL_OUT || value == NF_INET_POST_ROUTING ? SOMEBODY : MORE;
}

/* Any base chain. */
static enum answer read_chain_both(const struct nlmsghdr *message) {
  const struct nfgenmsg *chain = NLMSG_DATA(message);
  if (ot_netlink_payload(message) < sizeof *chain) return SOMEBODY;
  uint8_t family = chain->nfgen_family;
  if (family != NFPROTO_INET && family != NFPROTO_IPV4 && family != NFPROTO_IPV6) return MORE;
  return find(ATTRIBUTES(message, sizeof *chain), ATTRIBUTES_LENGTH(message, sizeof *chain), NFTA_CHAIN_HOOK) ? SOMEBODY
                                                                                                              : MORE;
}

static enum answer read_policies(const struct nlmsghdr *message) {
  struct xfrmu_spdinfo counts;
  const struct nlattr *info = find(ATTRIBUTES(message, 4), ATTRIBUTES_LENGTH(message, 4), XFRMA_SPD_INFO);
  if (!info || info->nla_len < NLA_HDRLEN + sizeof counts) return SOMEBODY;
  memcpy(&counts, payload(info), sizeof counts);
  return counts.outcnt ? SOMEBODY : NOBODY;
}

/* A missing subsystem has no rules. */
static enum answer read_error(int number) {
  if (number == EINVAL || number == EPROTONOSUPPORT) return ABSENT;
  return number == EOPNOTSUPP || number == ENOENT ? NOBODY : SOMEBODY;
}

/* An error message, or the end of a list, which may carry an error. */
static enum answer read_end(const struct nlmsghdr *message) {
  int number = ot_netlink_error(message);
  return number ? read_error(number) : NOBODY;
}

static enum answer read_messages(const uint8_t *bytes, size_t length, enum answer (*read)(const struct nlmsghdr *)) {
  struct ot_datagram rest = {.at = bytes, .left = length};
  for (const struct nlmsghdr *at = ot_netlink_next(&rest); at; at = ot_netlink_next(&rest)) {
    enum answer answer = at->nlmsg_type == NLMSG_DONE || at->nlmsg_type == NLMSG_ERROR ? read_end(at) : read(at);
    if (answer != MORE) return answer;
  }
  return MORE;
}

/*
 * Queries on a socket of its own, so that the rest of a long answer is dropped with it. An answer that cannot be parsed
 * counts as a match.
 */
static enum answer ask(int protocol, const struct question *question, enum answer (*read)(const struct nlmsghdr *)) {
  int64_t until_ms = ot_netlink_now() + OT_NETLINK_MS;
  enum answer answer = MORE;
  int fd = ot_netlink_socket(protocol);
  if (fd < 0) return read_error(errno);
  if (send(fd, question, question->header.nlmsg_len, 0) < 0) answer = SOMEBODY;
  while (answer == MORE) {
    uint8_t *datagram;
    long length = ot_netlink_receive(fd, until_ms, false, &datagram);
    if (length < 0) {
      answer = SOMEBODY;
    } else {
      answer = read_messages(datagram, (size_t)length, read);
      free(datagram);
    }
  }
  close(fd);
  return answer;
}

static bool looks(struct ot_gso_tap_absence *absence, uint32_t now_ms, const char *module, int protocol,
                  const struct question *question, enum answer (*read)(const struct nlmsghdr *)) {
  if (absence->known && !ot_expired(now_ms, absence->since_ms, ABSENT_MS) && access(module, F_OK) < 0) return false;
  enum answer answer = ask(protocol, question, read);
  *absence = (struct ot_gso_tap_absence){.known = answer == ABSENT, .since_ms = now_ms};
  return answer == SOMEBODY;
}

/* Legacy iptables: every table has a chain OUTPUT. */
static bool has_tables(const char *path) {
  char byte;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t got = read(fd, &byte, 1);
  close(fd);
  return got > 0;
}

static bool watched(struct ot_gso_tap_absence absences[OT_GSO_TAP_SUBSYSTEMS], uint32_t now_ms,
                    enum answer (*read_one)(const struct nlmsghdr *)) {
  struct question chains = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof chains.netfilter),
                                       .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN,
                                       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
  struct question policies = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof policies.flags),
                                         .nlmsg_type = XFRM_MSG_GETSPDINFO,
                                         .nlmsg_flags = NLM_F_REQUEST}};
  return has_tables("/proc/thread-self/net/ip_tables_names") || has_tables("/proc/thread-self/net/ip6_tables_names") ||
         looks(&absences[OT_GSO_TAP_NFTABLES], now_ms, "/sys/module/nf_tables", NETLINK_NETFILTER, &chains, read_one) ||
         looks(&absences[OT_GSO_TAP_XFRM], now_ms, "/sys/module/xfrm_user", NETLINK_XFRM, &policies, read_policies);
}

bool ot_gso_tap_watched(struct ot_gso_tap_absence absences[OT_GSO_TAP_SUBSYSTEMS], uint32_t now_ms) {
  return watched(absences, now_ms, read_chain);
}

bool ot_gso_tap_watched_both(struct ot_gso_tap_absence absences[OT_GSO_TAP_SUBSYSTEMS], uint32_t now_ms) {
  return watched(absences, now_ms, read_chain_both);
}
