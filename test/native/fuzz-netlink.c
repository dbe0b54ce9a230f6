/*
 * What reads netlink, over answers that no kernel gives: each length that a message or an attribute has of every
 * well-formed answer is set to each odd value in turn, then whole answers are mutated at random. Arguments: seed, and
 * how many random ones. Built with the address and undefined-behaviour sanitizers by netlink.test.ts; prints how many
 * answers were read.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/native/host/netlink.h"
#include "../../src/native/gso-tap/gso-tap.h"
#include "fake-kernel.h"

#define ROOM 2048
#define MOST_PLACES 64

/* A datagram, and where the lengths of its messages (4 bytes) and attributes (2 bytes) lie. */
struct answer {
  uint8_t bytes[ROOM];
  size_t length;
  int messages[MOST_PLACES], message_count, attributes[MOST_PLACES], attribute_count;
};

static struct answer answer;
static uint32_t port;
static uint64_t state = 1, answers_read;

static uint32_t dice(uint32_t bound) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32) % bound;
}

/* ---- Well-formed answers ---- */

static size_t begin_message(int type, const void *fixed, size_t size) {
  struct nlmsghdr header = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(size), .nlmsg_type = (uint16_t)type};
  size_t at = answer.length;
  answer.messages[answer.message_count++] = (int)at;
  memcpy(answer.bytes + at, &header, sizeof header);
  if (size) memcpy(answer.bytes + at + NLMSG_HDRLEN, fixed, size);
  answer.length += NLMSG_SPACE(size);
  return at;
}

static void end_message(size_t at) {
  uint32_t length = (uint32_t)(answer.length - at);
  memcpy(answer.bytes + at, &length, 4);
}

static size_t begin_attribute(int type, const void *data, size_t size) {
  struct rtattr attribute = {.rta_len = (uint16_t)RTA_LENGTH(size), .rta_type = (uint16_t)type};
  size_t at = answer.length;
  answer.attributes[answer.attribute_count++] = (int)at;
  memcpy(answer.bytes + at, &attribute, sizeof attribute);
  if (size) memcpy(answer.bytes + at + RTA_LENGTH(0), data, size);
  answer.length += RTA_SPACE(size);
  return at;
}

static void end_attribute(size_t at) {
  uint16_t length = (uint16_t)(answer.length - at);
  memcpy(answer.bytes + at, &length, 2);
}

static void add_link(void) {
  struct ifinfomsg info = {.ifi_index = 5, .ifi_flags = 1};
  uint32_t words[40] = {1400};
  size_t at = begin_message(RTM_NEWLINK, &info, sizeof info);
  begin_attribute(IFLA_IFNAME, "tap1", 5);
  begin_attribute(IFLA_MTU, words, 4);
  begin_attribute(IFLA_ADDRESS, "\2\0\0\0\0\1", 6);
  begin_attribute(40, words, 4);
  begin_attribute(IFLA_IFALIAS, "overtap", 8);
  begin_attribute(33, "\1", 1);
  size_t families = begin_attribute(IFLA_AF_SPEC, NULL, 0), family = begin_attribute(AF_INET, NULL, 0);
  begin_attribute(1, words, sizeof words);
  end_attribute(family);
  end_attribute(families);
  end_message(at);
}

static void add_route(void) {
  struct rtmsg info = {.rtm_family = dice(2) ? AF_INET : AF_INET6, .rtm_type = RTN_UNICAST};
  uint8_t address[18] = {0};
  size_t at = begin_message(RTM_NEWROUTE, &info, sizeof info);
  begin_attribute(RTA_OIF, address, 4);
  begin_attribute(RTA_GATEWAY, address, 16);
  begin_attribute(RTA_VIA, address, 18);
  size_t metrics = begin_attribute(RTA_METRICS, NULL, 0);
  begin_attribute(RTAX_MTU, address, 4);
  begin_attribute(RTAX_HOPLIMIT, address, 4);
  end_attribute(metrics);
  begin_attribute(RTA_PREFSRC, address, 16);
  end_message(at);
}

static void add_chain(void) {
  struct nfgenmsg info = {.nfgen_family = NFPROTO_IPV4};
  uint32_t hook = htonl(NF_INET_LOCAL_IN);
  size_t at = begin_message(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN, &info, sizeof info);
  begin_attribute(NFTA_CHAIN_NAME, "input", 6);
  size_t nest = begin_attribute(NFTA_CHAIN_HOOK, NULL, 0);
  begin_attribute(NFTA_HOOK_HOOKNUM, &hook, 4);
  end_attribute(nest);
  end_message(at);
}

static void add_policies(void) {
  struct xfrmu_spdinfo counts = {0};
  uint32_t flags = 0;
  size_t at = begin_message(XFRM_MSG_NEWSPDINFO, &flags, sizeof flags);
  begin_attribute(XFRMA_SPD_INFO, &counts, sizeof counts);
  end_message(at);
}

static void add_end(void) {
  int32_t number = dice(2) ? -EPERM : 0;
  struct nlmsgerr error = {.error = number};
  if (dice(2)) begin_message(NLMSG_DONE, &number, sizeof number);
  else begin_message(NLMSG_ERROR, &error, sizeof error);
}

static void (*const adders[])(void) = {add_link, add_route, add_chain, add_policies, add_end};
#define ADDERS ((int)(sizeof adders / sizeof *adders))

/* ---- Who reads them ---- */

/* Sends the answer at hand, each of its messages with the number of the question. */
static void send_answer(const struct nlmsghdr *question) {
  for (int i = 0; i < answer.message_count; i++) {
    size_t at = (size_t)answer.messages[i];
    if (question && at + NLMSG_HDRLEN <= answer.length)
      memcpy(answer.bytes + at + offsetof(struct nlmsghdr, nlmsg_seq), &question->nlmsg_seq, 4);
  }
  fake_send(port, 0, answer.bytes, answer.length);
}

static void read_answer(void) {
  struct ot_gso_tap_absence absences[OT_GSO_TAP_SUBSYSTEMS] = {{0}};
  static const uint8_t address[16];
  struct ot_link link;
  struct ot_route route;
  ot_link_get(1, "tap1", &link);
  ot_link_set_up(1, 5);
  ot_route_get(1, AF_INET, address, NULL, 0, &route);
  ot_route_get(1, AF_INET6, address, address, 3, &route);
  ot_gso_tap_watched(absences, 0);
  fake_forget();
  send_answer(NULL);
  ot_link_changed(1);
  answers_read++;
}

static void compose(void (*add)(void)) {
  memset(&answer, 0, sizeof answer);
  add();
}

/* ---- Odd lengths, one after the other ---- */

static const uint32_t message_lengths[] = {0,  1,  4,          15,         16,         17,         18,
                                           19, 20, 23,         24,         31,         32,         33,
                                           35, 36, 0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffffc, 0xffffffff};
static const uint16_t attribute_lengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 0x7fff, 0xfffc, 0xffff};
#define COUNT(list) (int)(sizeof(list) / sizeof *(list))

static void try_lengths(int kind) {
  compose(adders[kind]);
  struct answer whole = answer;
  for (int i = 0; i < whole.message_count; i++)
    for (int j = 0; j < COUNT(message_lengths); j++) {
      answer = whole;
      memcpy(answer.bytes + whole.messages[i], &message_lengths[j], 4);
      read_answer();
    }
  for (int i = 0; i < whole.attribute_count; i++)
    for (int j = 0; j < COUNT(attribute_lengths); j++) {
      answer = whole;
      memcpy(answer.bytes + whole.attributes[i], &attribute_lengths[j], 2);
      read_answer();
    }
  for (size_t length = 0; length < whole.length; length++) {
    answer = whole;
    answer.length = length;
    read_answer();
    /* The message says that it ends where the datagram does. */
    if (length < 4) continue;
    uint32_t told = (uint32_t)length;
    memcpy(answer.bytes, &told, 4);
    read_answer();
  }
}

/* ---- At random ---- */

static void mutate(void) {
  for (uint32_t left = dice(6); left > 0 && answer.length > 0; left--) {
    size_t at = dice((uint32_t)answer.length);
    switch (dice(5)) {
    case 0:
      answer.bytes[at] = (uint8_t)dice(256);
      break;
    case 1:
      answer.bytes[at] ^= (uint8_t)(1u << dice(8));
      break;
    case 2:
      answer.length = at;
      break;
    case 3:
      memcpy(answer.bytes + answer.messages[dice((uint32_t)answer.message_count)],
             &message_lengths[dice(COUNT(message_lengths))], 4);
      break;
    default:
      if (answer.attribute_count)
        memcpy(answer.bytes + answer.attributes[dice((uint32_t)answer.attribute_count)],
               &attribute_lengths[dice(COUNT(attribute_lengths))], 2);
    }
  }
}

static void try_random(void) {
  memset(&answer, 0, sizeof answer);
  for (uint32_t left = 1 + dice(4); left > 0; left--) adders[dice(ADDERS)]();
  mutate();
  port = dice(8) == 0 ? 4711 : 0;
  fake.lost = dice(16) == 0;
  read_answer();
}

int main(int count, char **arguments) {
  if (count != 3) return 1;
  fake.answer = send_answer;
  for (int kind = 0; kind < ADDERS; kind++) try_lengths(kind);
  state = strtoull(arguments[1], NULL, 10) * 2 + 1;
  for (long left = atol(arguments[2]); left > 0; left--) try_random();
  fake_forget();
  printf("%llu\n", (unsigned long long)answers_read);
  return 0;
}
