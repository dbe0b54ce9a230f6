/*
 * Kernels that do not answer as they should, by the name of a case; prints what came of it. Compiled and run by
 * netlink.test.ts.
 */
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/native/gso-tap/gso-tap.h"
#include "fake-kernel.h"

#define LONG 20000
#define STRANGER 4711

struct message {
  struct nlmsghdr header;
  int32_t number;
  uint8_t rest[LONG];
};

static void reply_from(uint32_t port, const struct nlmsghdr *question, int type, int32_t number, size_t more) {
  static struct message message;
  uint32_t length = (uint32_t)(NLMSG_LENGTH(sizeof message.number) + more);
  message.header =
      (struct nlmsghdr){.nlmsg_len = length, .nlmsg_type = (uint16_t)type, .nlmsg_seq = question->nlmsg_seq};
  message.number = number;
  fake_send(port, 0, &message, length);
}

static void reply(const struct nlmsghdr *question, int type, int32_t number, size_t more) {
  reply_from(0, question, type, number, more);
}

/* ---- Kernels ---- */

static void answer_late(const struct nlmsghdr *question) {
  struct nlmsghdr before = {.nlmsg_seq = question->nlmsg_seq - 1};
  reply(&before, NLMSG_ERROR, 0, 16);
  reply(question, NLMSG_ERROR, -EPERM, 16);
}

static bool is_xfrm(const struct nlmsghdr *question) { return question->nlmsg_type == XFRM_MSG_GETSPDINFO; }

static void end_with(const struct nlmsghdr *question, int number) {
  if (is_xfrm(question)) reply(question, NLMSG_ERROR, -ENOENT, 16);
  else reply(question, NLMSG_DONE, number, 0);
}

static void answer_nobody(const struct nlmsghdr *question) { end_with(question, 0); }
static void answer_broken(const struct nlmsghdr *question) { end_with(question, -ENOMEM); }
static void answer_absent(const struct nlmsghdr *question) { reply(question, NLMSG_ERROR, -EINVAL, 16); }
static void answer_long(const struct nlmsghdr *question) {
  reply(question, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN, 0, LONG);
}
static void answer_short(const struct nlmsghdr *question) {
  reply(question, is_xfrm(question) ? XFRM_MSG_NEWSPDINFO : NFT_MSG_NEWCHAIN, 0, 0);
}

/* What others say, before the kernel's own word: that all is well, and messages of no sense. */
static void answer_behind_others(const struct nlmsghdr *question) {
  for (int i = 0; i < 10; i++) reply_from(STRANGER, question, NLMSG_ERROR, 0, 16);
  reply(question, NLMSG_ERROR, -EPERM, 16);
}

static void flood(void) {
  struct nlmsghdr junk[2] = {{.nlmsg_len = 17}};
  fake_send(STRANGER, 0, junk, 17);
}

/* ---- Cases ---- */

static void print_link(void (*kernel)(const struct nlmsghdr *)) {
  struct ot_fault fault;
  fake.answer = kernel;
  int fd = ot_netlink_open(&fault);
  int number = ot_link_set_up(fd, 1);
  printf("%d\n%d %d\n", number, fake.connected, fake.questions);
}

static void print_watched(void (*kernel)(const struct nlmsghdr *)) {
  struct ot_gso_tap_absence absences[OT_GSO_TAP_SUBSYSTEMS] = {{0}};
  fake.answer = kernel;
  printf("%d\n", ot_gso_tap_watched(absences, 0));
}

/* How often each of the two was asked for by then. */
static void print_absent(void) {
  struct ot_gso_tap_absence absences[OT_GSO_TAP_SUBSYSTEMS] = {{0}};
  uint32_t times[] = {0x7fffff00, 1000, 50000, 60000, 61000, 62000};
  fake.answer = answer_absent;
  fake.refused_of[NETLINK_XFRM] = EPROTONOSUPPORT;
  for (int i = 0; i < 6; i++) {
    fake.module_is_there = i == 5;
    bool watched = ot_gso_tap_watched(absences, times[i]);
    printf("%d %d %d\n", fake.asked_of[NETLINK_NETFILTER], fake.asked_of[NETLINK_XFRM], watched);
  }
}

/* Notices of links: the kernel's, others', and one that is too short. */
static void print_notices(void) {
  struct {
    struct nlmsghdr header;
    struct ifinfomsg link;
  } notice = {.header = {.nlmsg_len = sizeof notice, .nlmsg_type = RTM_NEWLINK}, .link = {.ifi_index = 7}};
  struct ot_fault fault;
  int fd = ot_netlink_listen(&fault);
  fake_send(STRANGER, RTMGRP_LINK, &notice, sizeof notice);
  notice.link.ifi_index = 8;
  fake_send(0, RTMGRP_LINK, &notice, sizeof notice);
  notice.header.nlmsg_len = 17;
  fake_send(0, RTMGRP_LINK, &notice, 17);
  int first = ot_link_changed(fd), next = ot_link_changed(fd);
  printf("%d %d\n%d %d\n", fd >= 0, fake.groups, first, next);
}

int main(int count, char **arguments) {
  const char *name = count > 1 ? arguments[1] : "";
  fake.look_ms = 1;
  if (!strcmp(name, "lost")) fake.lost = 2;
  if (!strcmp(name, "always lost")) fake.lost = 1000000;
  if (!strcmp(name, "flood")) fake.flood = flood;
  if (!strcmp(name, "late")) print_link(answer_late);
  else if (!strcmp(name, "silent") || !strcmp(name, "flood")) print_link(NULL);
  else if (!strcmp(name, "others")) print_link(answer_behind_others);
  else if (!strcmp(name, "lost") || !strcmp(name, "always lost")) print_link(answer_late);
  else if (!strcmp(name, "nobody")) print_watched(answer_nobody);
  else if (!strcmp(name, "mute")) print_watched(NULL);
  else if (!strcmp(name, "broken")) print_watched(answer_broken);
  else if (!strcmp(name, "long")) print_watched(answer_long);
  else if (!strcmp(name, "short")) print_watched(answer_short);
  else if (!strcmp(name, "absent")) print_absent();
  else if (!strcmp(name, "notices")) print_notices();
  else return 1;
  return 0;
}
