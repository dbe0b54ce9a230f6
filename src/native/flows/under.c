/*
 * The program of flows.h at the ingress of a device of the underlay: takes frames of known flows out of their
 * datagrams, ahead of the host's stack and of the switch's socket. Owns its instructions.
 *
 * 1. A whole datagram of UDP in IPv4 without options, or in IPv6, for this host, with a right IPv4 header. 2. VXLAN
 * with a VNI and nothing else, with an untagged packet of IP that is not shorter than its header. 3. A row of its
 * addresses, VNI and MACs in force. 4. No superframe, no train, no congestion mark to be moved, and a checksum that is
 * zero or that the device has checked. TCP, superframes among it, goes to the decapsulator (decap.h) where there is
 * one. What is not like this goes on as if the program were not there.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <unistd.h>

#include "../devices/tcx.h"
#include "decap.h"
#include "flows.h"
#include "steps.h"

/* Constants that older kernel headers lack. */
#define ROOM_DECAP_L3_IPV4 (1 << 7)
#define ROOM_DECAP_L3_IPV6 (1 << 8)
#define ROOM_FIXED_GSO 1
#define ROOM_MAC 1
#define CSUM_LEVEL 135
#define REDIRECT_PEER 155
/* Of the inner packet: lengths and protocol. */
#define PACKET_BYTES 10
#define TCP 6

/* On the stack: the key, then the headers up to the inner packet's first words. */
#define FAR (-56)
#define FAR_AT(field) (FAR + (int)offsetof(struct ot_flow_far, field))
/* Eight bytes below the key are lost (compare_key). */
#define HEAD (FAR - 8 - 96)
/* Instead of a note: the slot. */
#define SLOT NOTE

/* Words of the IPv4 header, which lies at an even place. */
static void check_ipv4(struct text *text) {
  set(text, R1, 0);
  for (int i = 0; i < 20; i += 2) {
    load(text, BPF_H, R2, FRAME, HEAD + ETH_HLEN + i);
    add(text, R1, R2);
  }
  move(text, R2, R1);
  alu(text, BPF_RSH, R2, 16);
  alu(text, BPF_AND, R1, 0xffff);
  add(text, R1, R2);
  leave_if(text, BPF_JNE, R1, 0xffff);
  load(text, BPF_B, R1, FRAME, HEAD + ETH_HLEN);
  leave_if(text, BPF_JNE, R1, 0x45);
  load(text, BPF_H, R1, FRAME, HEAD + ETH_HLEN + 6);
  alu(text, BPF_AND, R1, htons(0x3fff));
  leave_if(text, BPF_JNE, R1, 0);
  load(text, BPF_B, R1, FRAME, HEAD + ETH_HLEN + 9);
  leave_if(text, BPF_JNE, R1, 17);
  load(text, BPF_B, R1, FRAME, HEAD + ETH_HLEN + 1);
}

static void check_ipv6(struct text *text) {
  load(text, BPF_B, R1, FRAME, HEAD + ETH_HLEN);
  alu(text, BPF_RSH, R1, 4);
  leave_if(text, BPF_JNE, R1, 6);
  load(text, BPF_B, R1, FRAME, HEAD + ETH_HLEN + 6);
  leave_if(text, BPF_JNE, R1, 17);
  load(text, BPF_B, R1, FRAME, HEAD + ETH_HLEN + 1);
  alu(text, BPF_RSH, R1, 4);
}

/* In R1 the byte that ends in the ECN: 0 and ECT(0) change nothing inside. */
static void check_ecn(struct text *text) { leave_if(text, BPF_JSET, R1, 1); }

/* The datagram is as long as the frame says. */
static void check_length(struct text *text, int at, int before) {
  load(text, BPF_H, R1, FRAME, HEAD + at);
  emit(text, BPF_ALU | BPF_END | BPF_TO_BE, R1, 0, 0, 16);
  alu(text, BPF_ADD, R1, before);
  load(text, BPF_W, R2, SKB, SKB_AT(len));
  leave_if_reg(text, BPF_JNE, R1, R2);
}

static void check_vxlan(struct text *text, int udp) {
  int header = udp + 8;
  load(text, BPF_H, R1, FRAME, HEAD + udp + 6);
  int none = jump_if(text, BPF_JEQ, R1, 0);
  move(text, R1, SKB);
  set(text, R2, 0);
  call(text, CSUM_LEVEL);
  leave_if(text, BPF_JSLT, R0, 0);
  aim(text, none);
  load(text, BPF_H, R1, FRAME, HEAD + header);
  leave_if(text, BPF_JNE, R1, htons(0x0800));
  load(text, BPF_H, R1, FRAME, HEAD + header + 2);
  leave_if(text, BPF_JNE, R1, 0);
  load(text, BPF_B, R1, FRAME, HEAD + header + 7);
  leave_if(text, BPF_JNE, R1, 0);
  /* The kernel takes nothing out that is shorter than the header of its packet. */
  int packet = header + 8 + ETH_HLEN;
  load(text, BPF_W, R2, SKB, SKB_AT(len));
  leave_if(text, BPF_JLT, R2, packet + 20);
  load(text, BPF_H, R1, FRAME, HEAD + packet - 2);
  int ipv4 = jump_if(text, BPF_JEQ, R1, htons(ETH_P_IP));
  leave_if(text, BPF_JNE, R1, htons(ETH_P_IPV6));
  leave_if(text, BPF_JLT, R2, packet + 40);
  aim(text, ipv4);
}

static void copy_halves(struct text *text, int to, int from, int count) {
  for (int i = 0; i < count; i++) {
    load(text, BPF_H, R1, FRAME, from + 2 * i);
    store(text, BPF_H, FRAME, to + 2 * i, R1);
  }
}

static void write_key(struct text *text, int family, int udp) {
  int inner = udp + 16, size = family == 4 ? 4 : 16;
  for (int at = FAR; at < 0; at += 8) put(text, BPF_DW, FRAME, at, 0);
  set(text, R3, 0);
  for (int i = 0; i < 3; i++) {
    load(text, BPF_B, R1, FRAME, HEAD + udp + 12 + i);
    alu(text, BPF_LSH, R3, 8);
    add(text, R3, R1);
  }
  store(text, BPF_W, FRAME, FAR_AT(vni), R3);
  copy_halves(text, FAR_AT(port), HEAD + udp + 2, 1);
  put(text, BPF_H, FRAME, FAR_AT(family), family);
  copy_halves(text, FAR_AT(to), HEAD + inner, 6);
  copy_halves(text, FAR_AT(source), HEAD + udp - 2 * size, size / 2);
  copy_halves(text, FAR_AT(destination), HEAD + udp - size, size / 2);
}

/* In R2 the length of the frame inside; leaves if that is no superframe and longer than the device sends. */
static void check_longest(struct text *text, int outer) {
  load(text, BPF_W, R2, SKB, SKB_AT(len));
  alu(text, BPF_SUB, R2, outer);
  load(text, BPF_W, R3, FRAME, LONGEST_BELOW(HEAD));
  leave_if_reg(text, BPF_JGT, R2, R3);
}

static void count_taken(struct text *text, const struct ot_flow_maps *maps, int outer) {
  move(text, R1, SLOT);
  find_counts(text, maps);
  set(text, R1, 1);
  count(text, COUNT_AT(noted), R1);
  count(text, COUNT_AT(frames), R1);
  load(text, BPF_W, R2, SKB, SKB_AT(len));
  alu(text, BPF_SUB, R2, outer);
  count(text, COUNT_AT(bytes), R2);
}

/* Jumps past the decapsulator: everything but TCP; TCP keeps its order by one way. Returns how many. */
static int unless_tcp(struct text *text, int packet, int others[3]) {
  load(text, BPF_H, R1, FRAME, packet - 2);
  int ipv6 = jump_if(text, BPF_JNE, R1, htons(ETH_P_IP));
  load(text, BPF_B, R1, FRAME, packet + 9);
  others[0] = jump_if(text, BPF_JNE, R1, TCP);
  load(text, BPF_H, R1, FRAME, packet + 2);
  emit(text, BPF_ALU | BPF_END | BPF_TO_BE, R1, 0, 0, 16);
  int ipv4 = jump(text);
  aim(text, ipv6);
  load(text, BPF_B, R1, FRAME, packet + 6);
  others[1] = jump_if(text, BPF_JNE, R1, TCP);
  load(text, BPF_H, R1, FRAME, packet + 4);
  emit(text, BPF_ALU | BPF_END | BPF_TO_BE, R1, 0, 0, 16);
  alu(text, BPF_ADD, R1, 40);
  aim(text, ipv4);
  return 2;
}

/*
 * TCP goes to the decapsulator as it is. A superframe has one packet, which is as long as all of it: a train of
 * datagrams has not, and takes the other way.
 */
static void pass_to_decap(struct text *text, const struct ot_flow_maps *maps, int outer) {
  int others[3], packet = HEAD + outer + ETH_HLEN, count_others = unless_tcp(text, packet, others);
  load(text, BPF_H, R2, FRAME, HEAD + outer - 16 + 2);
  others[count_others++] = jump_if(text, BPF_JNE, R2, htons(OT_DECAP_PORT));
  load(text, BPF_W, R2, SKB, SKB_AT(gso_size));
  int single = jump_if(text, BPF_JEQ, R2, 0);
  alu(text, BPF_ADD, R1, outer + ETH_HLEN);
  load(text, BPF_W, R2, SKB, SKB_AT(len));
  int train = jump_if_reg(text, BPF_JNE, R1, R2);
  int super = jump(text);
  aim(text, single);
  check_longest(text, outer);
  aim(text, super);
  set(text, R1, 1);
  count(text, (int)offsetof(struct ot_flow_shared, went_in), R1);
  count_taken(text, maps, outer);
  set(text, R1, (int)maps->decap);
  set(text, R2, 0);
  call(text, REDIRECT_PEER);
  emit(text, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  for (int i = 0; i < count_others; i++) aim(text, others[i]);
  aim(text, train);
}

/* A superframe or train is left to the socket, and noted: the flow is better there. */
static void refuse_large(struct text *text, const struct ot_flow_maps *maps, int outer) {
  load(text, BPF_W, R1, SKB, SKB_AT(gso_size));
  int single = jump_if(text, BPF_JEQ, R1, 0);
  move(text, R1, SLOT);
  find_counts(text, maps);
  set(text, R1, 1);
  count(text, COUNT_AT(large), R1);
  leave(text, jump(text));
  aim(text, single);
  check_longest(text, outer);
}

/* Returns the number of jumps to the end of a frame that could not be changed. */
static int take_out(struct text *text, const struct ot_flow_maps *maps, int family, int udp, int failed[4]) {
  int outer = udp + 16, count_failed = 0;
  count_taken(text, maps, outer);
  set(text, R4, ROOM_FIXED_GSO);
  load(text, BPF_H, R1, FRAME, HEAD + outer + 12);
  int same = jump_if(text, BPF_JEQ, R1, htons(family == 4 ? ETH_P_IP : ETH_P_IPV6));
  set(text, R4, ROOM_FIXED_GSO | (family == 4 ? ROOM_DECAP_L3_IPV6 : ROOM_DECAP_L3_IPV4));
  aim(text, same);
  move(text, R1, SKB);
  set(text, R2, -outer);
  set(text, R3, ROOM_MAC);
  call(text, BPF_FUNC_skb_adjust_room);
  failed[count_failed++] = jump_if(text, BPF_JNE, R0, 0);
  move(text, R1, SKB);
  set(text, R2, 0);
  move_sum(text, R3, FRAME, HEAD + outer);
  set(text, R4, ETH_HLEN);
  set(text, R5, 0);
  call(text, BPF_FUNC_skb_store_bytes);
  failed[count_failed++] = jump_if(text, BPF_JNE, R0, 0);
  failed[count_failed++] = send_out(text, HEAD);
  return count_failed;
}

static void write_family(struct text *text, const struct ot_flow_maps *maps, int family) {
  int failed[4], udp = ETH_HLEN + (family == 4 ? 20 : 40);
  move(text, R1, SKB);
  set(text, R2, 0);
  move_sum(text, R3, FRAME, HEAD);
  set(text, R4, udp + 16 + ETH_HLEN + PACKET_BYTES);
  call(text, BPF_FUNC_skb_load_bytes);
  leave_if(text, BPF_JNE, R0, 0);
  if (family == 4) check_ipv4(text);
  else check_ipv6(text);
  check_ecn(text);
  check_length(text, family == 4 ? 16 : 18, family == 4 ? ETH_HLEN : ETH_HLEN + 40);
  check_length(text, udp + 4, udp);
  check_vxlan(text, udp);
  write_key(text, family, udp);
  take_map(text, R1, BPF_PSEUDO_MAP_FD, maps->far);
  move_sum(text, R2, FRAME, FAR);
  call(text, BPF_FUNC_map_lookup_elem);
  take_row(text, offsetof(struct ot_flow_known_far, row));
  compare_stamps(text, maps);
  load(text, BPF_W, SLOT, ROW, ROW_AT(slot));
  keep_far_row(text, FAR, HEAD);
  if (maps->decap) pass_to_decap(text, maps, udp + 16);
  refuse_large(text, maps, udp + 16);
  int count = take_out(text, maps, family, udp, failed);
  for (int i = 0; i < count; i++) aim(text, failed[i]);
  end(text, TC_ACT_SHOT);
}

static void write_under(struct text *text, const struct ot_flow_maps *maps) {
  move(text, SKB, R1);
  load(text, BPF_W, R1, SKB, SKB_AT(pkt_type));
  leave_if(text, BPF_JNE, R1, PACKET_HOST);
  load(text, BPF_W, R1, SKB, SKB_AT(vlan_present));
  leave_if(text, BPF_JNE, R1, 0);
  load(text, BPF_W, R1, SKB, SKB_AT(protocol));
  int ipv4 = jump_if(text, BPF_JEQ, R1, htons(ETH_P_IP));
  leave_if(text, BPF_JNE, R1, htons(ETH_P_IPV6));
  write_family(text, maps, 6);
  aim(text, ipv4);
  write_family(text, maps, 4);
  land(text);
  end(text, NEXT_PROGRAM);
}

int ot_flow_under(const struct ot_flow_maps *maps, int interface, struct ot_fault *fault) {
  struct text text = {.count = 0};
  write_under(&text, maps);
  return ot_tcx_attach(text.at, text.count, "overtap_under", "flows out of tunnels", interface,
                       "a device of the underlay", fault);
}
