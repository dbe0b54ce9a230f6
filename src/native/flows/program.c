/*
 * The two programs of a device of flows.h: the filter of its packet sockets, and what follows at its ingress (tcx).
 * Owns their instructions.
 *
 * filter: 1. Clears this CPU's note. 2. Leaves what the host itself sends, and what is no IPv4 or IPv6 packet, as it
 * is.
 * 3. Looks <device, tag, MACs> up. 4. With a row in force that fits the frame, writes the note, if the row is still
 * that of the key then. Ends with the bytes that the socket gets: all, or none.
 *
 * tcx: without a note for this frame, it passes. Otherwise its tag is pushed or popped, it is counted, and it leaves by
 * the other device, which a packet socket's frame would pass in the same way.
 *
 * The kernel puts no second header of a tunnel before a frame that has one of its own (skb->encapsulation), as those of
 * a guest's tunnel, and no program can see that before. Such a frame comes in once more, with a mark that the filter
 * knows: then the socket gets it. The row has it noted, so that the flow becomes the engine's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <string.h>
#include <unistd.h>

#include "../devices/tcx.h"
#include "flows.h"
#include "steps.h"

#define KEEP_ALL (-1)

/* On the stack. */
#define KEY (-(int)sizeof(struct ot_flow_key))
#define HEADER (KEY - 16)
#define ZERO (HEADER - 8)
#define MORE (ZERO - 40)
#define HEADERS (MORE - 8)
/* Of the second program. */
#define LENGTH (-8)
#define SLOT (-16)
#define TOS (-24)
#define PORT (-32)
#define INNER (-48)
#define OUTER (-144)
#define TAG (-152)

/* Of a frame that comes in once more. */
#define AGAIN 0x6f740001

/* Bytes of the longest frame in a datagram. */
#define MOST_INNER 65400

/* Constants that older kernel headers lack. */
#define REDIRECT_NEIGHBOUR 152
#define ROOM_MAC 1
#define ROOM_FIXED_GSO 1
#define ROOM_ENCAP_L3_IPV4 (1 << 1)
#define ROOM_ENCAP_L3_IPV6 (1 << 2)
#define ROOM_ENCAP_L4_UDP (1 << 4)
#define ROOM_ENCAP_L2_ETH (1 << 6)
/* The upper half of the flags: bytes of the inner header of layer 2. */
#define ROOM_ENCAP_L2 (ETH_HLEN << 24)

#define KEY_AT(field) (KEY + (int)offsetof(struct ot_flow_key, field))
#define NOTE_AT(field) (int)offsetof(struct ot_flow_note, field)

/* NOTE becomes this CPU's note. */
static void find_note(struct text *text, const struct ot_flow_maps *maps) {
  move(text, SKB, R1);
  put(text, BPF_W, FRAME, ZERO, 0);
  take_map(text, R1, BPF_PSEUDO_MAP_FD, maps->notes);
  move_sum(text, R2, FRAME, ZERO);
  call(text, BPF_FUNC_map_lookup_elem);
  leave_if(text, BPF_JEQ, R0, 0);
  move(text, NOTE, R0);
}

/* The MACs, and that it is a packet of IP. */
static void read_header(struct text *text) {
  move(text, R1, SKB);
  set(text, R2, 0);
  move_sum(text, R3, FRAME, HEADER);
  set(text, R4, ETH_HLEN);
  call(text, BPF_FUNC_skb_load_bytes);
  leave_if(text, BPF_JNE, R0, 0);
  load(text, BPF_H, R1, FRAME, HEADER + 12);
  int ipv4 = jump_if(text, BPF_JEQ, R1, htons(ETH_P_IP));
  leave_if(text, BPF_JNE, R1, htons(ETH_P_IPV6));
  aim(text, ipv4);
}

/* The kernel has taken the outermost tag out of the frame. A priority tag is left to the switch. */
static void write_key(struct text *text, uint32_t device) {
  for (int at = KEY; at < 0; at += 8) put(text, BPF_DW, FRAME, at, 0);
  put(text, BPF_W, FRAME, KEY_AT(device), (int)device);
  load(text, BPF_W, R1, SKB, SKB_AT(vlan_present));
  int untagged = jump_if(text, BPF_JEQ, R1, 0);
  load(text, BPF_W, R1, SKB, SKB_AT(vlan_proto));
  leave_if(text, BPF_JNE, R1, htons(ETH_P_8021Q));
  load(text, BPF_W, R1, SKB, SKB_AT(vlan_tci));
  alu(text, BPF_AND, R1, 0xfff);
  leave_if(text, BPF_JEQ, R1, 0);
  alu(text, BPF_OR, R1, OT_FLOW_TAGGED);
  store(text, BPF_W, FRAME, KEY_AT(tag), R1);
  aim(text, untagged);
  for (int i = 0; i < 12; i += 4) {
    load(text, BPF_W, R1, FRAME, HEADER + i);
    store(text, BPF_W, FRAME, KEY_AT(to) + i, R1);
  }
}

static void find_row(struct text *text, const struct ot_flow_maps *maps) {
  take_map(text, R1, BPF_PSEUDO_MAP_FD, maps->rows);
  move_sum(text, R2, FRAME, KEY);
  call(text, BPF_FUNC_map_lookup_elem);
  take_row(text, sizeof(struct ot_flow_key));
}

/* Loads bytes of the frame, after its first header. */
static void load_more(struct text *text, int at, int bytes) {
  move(text, R1, SKB);
  set(text, R2, at);
  move_sum(text, R3, FRAME, MORE);
  set(text, R4, bytes);
  call(text, BPF_FUNC_skb_load_bytes);
  leave_if(text, BPF_JNE, R0, 0);
}

/*
 * The transport header at a place of the frame, with its protocol in R1: a datagram that may be of the switch's own
 * tunnels is left to it. The bytes of all headers go to the stack.
 */
static void check_transport(struct text *text, int at, int icmp) {
  put(text, BPF_W, FRAME, HEADERS, at);
  int other = jump_if(text, BPF_JEQ, R1, icmp);
  int tcp = jump_if(text, BPF_JEQ, R1, 6);
  leave_if(text, BPF_JNE, R1, 17);
  load_more(text, at, 4);
  load(text, BPF_H, R1, FRAME, MORE + 2);
  load(text, BPF_W, R2, ROW, ROW_AT(own));
  leave_if_reg(text, BPF_JEQ, R1, R2);
  put(text, BPF_W, FRAME, HEADERS, at + 8);
  int udp = jump(text);
  aim(text, tcp);
  load_more(text, at + 12, 1);
  load(text, BPF_B, R1, FRAME, MORE);
  alu(text, BPF_RSH, R1, 4);
  alu(text, BPF_LSH, R1, 2);
  alu(text, BPF_ADD, R1, at);
  store(text, BPF_W, FRAME, HEADERS, R1);
  aim(text, udp);
  aim(text, other);
}

/* Of a frame that is to enter a tunnel: a whole packet without options, of a protocol with known headers. */
static void check_inner(struct text *text) {
  load(text, BPF_H, R1, FRAME, HEADER + 12);
  int ipv6 = jump_if(text, BPF_JNE, R1, htons(ETH_P_IP));
  load_more(text, ETH_HLEN, 20);
  load(text, BPF_B, R1, FRAME, MORE);
  leave_if(text, BPF_JNE, R1, 0x45);
  load(text, BPF_H, R1, FRAME, MORE + 6);
  alu(text, BPF_AND, R1, htons(0x3fff));
  leave_if(text, BPF_JNE, R1, 0);
  load(text, BPF_B, R1, FRAME, MORE + 9);
  check_transport(text, ETH_HLEN + 20, 1);
  int ipv4 = jump(text);
  aim(text, ipv6);
  load_more(text, ETH_HLEN, 40);
  load(text, BPF_B, R1, FRAME, MORE + 6);
  check_transport(text, ETH_HLEN + 40, 58);
  aim(text, ipv4);
}

/* Each packet of a superframe has to fit, and its outer length has to be a length. */
static void compare_superframe(struct text *text) {
  load(text, BPF_W, R1, SKB, SKB_AT(gso_size));
  int single = jump_if(text, BPF_JEQ, R1, 0);
  load(text, BPF_W, R2, FRAME, HEADERS);
  add(text, R1, R2);
  load(text, BPF_W, R3, ROW, ROW_AT(longest));
  leave_if_reg(text, BPF_JGT, R1, R3);
  load(text, BPF_W, R2, SKB, SKB_AT(len));
  leave_if(text, BPF_JGT, R2, MOST_INNER);
  aim(text, single);
}

/* R2 becomes the length. */
static void compare_length(struct text *text) {
  load(text, BPF_W, R1, ROW, ROW_AT(operation));
  int local = jump_if(text, BPF_JLT, R1, OT_FLOW_ENCAPSULATE_IPV4);
  check_inner(text);
  compare_superframe(text);
  aim(text, local);
  load(text, BPF_W, R2, SKB, SKB_AT(len));
  load(text, BPF_W, R1, SKB, SKB_AT(gso_size));
  int super = jump_if(text, BPF_JNE, R1, 0);
  load(text, BPF_W, R3, ROW, ROW_AT(longest));
  leave_if_reg(text, BPF_JGT, R2, R3);
  aim(text, super);
}

/* Words of a row that the note gets. */
#define NOTED 5
static const int FROM_ROW[NOTED] = {ROW_AT(slot), ROW_AT(operation), ROW_AT(tci), ROW_AT(device), ROW_AT(serial)};
static const int TO_NOTE[NOTED] = {NOTE_AT(slot), NOTE_AT(operation), NOTE_AT(tci), NOTE_AT(out), NOTE_AT(serial)};

static void write_note(struct text *text, const struct ot_flow_maps *maps, uint32_t device) {
  store(text, BPF_W, NOTE, NOTE_AT(length), R2);
  for (int i = 0; i < NOTED; i++) {
    load(text, BPF_W, R1, ROW, FROM_ROW[i]);
    store(text, BPF_W, NOTE, TO_NOTE[i], R1);
  }
  compare_key(text, KEY, sizeof(struct ot_flow_key));
  load(text, BPF_W, R1, NOTE, NOTE_AT(slot));
  find_counts(text, maps);
  set(text, R1, 1);
  count(text, COUNT_AT(noted), R1);
  put(text, BPF_W, NOTE, NOTE_AT(device), (int)device);
  end(text, 0);
}

static void write_filter(struct text *text, const struct ot_flow_maps *maps, uint32_t device) {
  find_note(text, maps);
  put(text, BPF_W, NOTE, NOTE_AT(device), 0);
  load(text, BPF_W, R1, SKB, SKB_AT(pkt_type));
  int received = jump_if(text, BPF_JNE, R1, PACKET_OUTGOING);
  end(text, 0);
  aim(text, received);
  load(text, BPF_W, R1, SKB, SKB_AT(mark));
  leave_if(text, BPF_JEQ, R1, AGAIN);
  read_header(text);
  write_key(text, device);
  find_row(text, maps);
  compare_stamps(text, maps);
  compare_length(text);
  write_note(text, maps, device);
  land(text);
  end(text, KEEP_ALL);
}

/* Takes the note, if it is about this frame. */
static void take_note(struct text *text, uint32_t device) {
  load(text, BPF_W, R1, NOTE, NOTE_AT(device));
  leave_if(text, BPF_JNE, R1, (int)device);
  put(text, BPF_W, NOTE, NOTE_AT(device), 0);
  load(text, BPF_W, R1, NOTE, NOTE_AT(length));
  load(text, BPF_W, ROW, SKB, SKB_AT(len));
  leave_if_reg(text, BPF_JNE, R1, ROW);
}

/* What is needed when the frame has been changed. */
static void keep_facts(struct text *text, const struct ot_flow_maps *maps) {
  store(text, BPF_W, FRAME, LENGTH, ROW);
  load(text, BPF_W, R1, SKB, SKB_AT(vlan_tci));
  store(text, BPF_W, FRAME, TAG, R1);
  take_map(text, SHARED, BPF_PSEUDO_MAP_VALUE, maps->shared);
  load(text, BPF_W, R1, NOTE, NOTE_AT(slot));
  find_counts(text, maps);
}

static void count_frame(struct text *text) {
  set(text, R1, 1);
  count(text, COUNT_AT(frames), R1);
  load(text, BPF_W, R1, FRAME, LENGTH);
  count(text, COUNT_AT(bytes), R1);
}

/* The frame is as it came, but for a tag that was popped. */
static void come_again(struct text *text) {
  load(text, BPF_W, R1, NOTE, NOTE_AT(operation));
  alu(text, BPF_AND, R1, OT_FLOW_ENCAPSULATE_IPV4 - 1);
  int whole = jump_if(text, BPF_JNE, R1, OT_FLOW_TAG_POP);
  move(text, R1, SKB);
  set(text, R2, htons(ETH_P_8021Q));
  load(text, BPF_W, R3, FRAME, TAG);
  call(text, BPF_FUNC_skb_vlan_push);
  aim(text, whole);
  set(text, R1, -1);
  count(text, COUNT_AT(noted), R1);
  set(text, R1, 1);
  count(text, COUNT_AT(large), R1);
  set(text, R1, AGAIN);
  store(text, BPF_W, SKB, SKB_AT(mark), R1);
  load(text, BPF_W, R1, SKB, SKB_AT(ifindex));
  set(text, R2, BPF_F_INGRESS);
  call(text, BPF_FUNC_redirect);
  emit(text, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

#define OUTER_AT(field) (int)offsetof(struct ot_flow_outer, field)

/* TOS on the stack: DSCP as configured, or the inner one; ECN copied, CE as ECT(0) (src/encap/ecn.ts). Of the row's
 * headers in ROW. */
static void choose_tos(struct text *text) {
  load(text, BPF_H, R1, FRAME, INNER + 12);
  int ipv6 = jump_if(text, BPF_JNE, R1, htons(ETH_P_IP));
  load(text, BPF_B, R2, FRAME, INNER + 15);
  int known = jump(text);
  aim(text, ipv6);
  load(text, BPF_B, R2, FRAME, INNER + 14);
  alu(text, BPF_LSH, R2, 4);
  alu(text, BPF_AND, R2, 0xf0);
  load(text, BPF_B, R1, FRAME, INNER + 15);
  alu(text, BPF_RSH, R1, 4);
  emit(text, BPF_ALU64 | BPF_OR | BPF_X, R2, R1, 0, 0);
  aim(text, known);
  move(text, R3, R2);
  alu(text, BPF_AND, R3, 3);
  int not_ce = jump_if(text, BPF_JNE, R3, 3);
  set(text, R3, 2);
  aim(text, not_ce);
  load(text, BPF_W, R1, ROW, OUTER_AT(tos));
  int configured = jump_if(text, BPF_JNE, R1, OT_FLOW_TOS_INHERIT);
  move(text, R1, R2);
  aim(text, configured);
  alu(text, BPF_AND, R1, 0xfc);
  emit(text, BPF_ALU64 | BPF_OR | BPF_X, R1, R3, 0, 0);
  store(text, BPF_W, FRAME, TOS, R1);
}

/* PORT on the stack: the source port of the flow. */
static void choose_port(struct text *text) {
  move(text, R1, SKB);
  call(text, BPF_FUNC_get_hash_recalc);
  alu(text, BPF_AND, R0, OT_FLOW_PORTS - 1);
  alu(text, BPF_LSH, R0, 1);
  add(text, R0, ROW);
  load(text, BPF_H, R1, R0, OUTER_AT(ports));
  store(text, BPF_W, FRAME, PORT, R1);
}

/* Stores the frame's length, and so much more, as a word of the outer header. It stays in R2, as stored. */
static void put_length(struct text *text, int more, int at) {
  load(text, BPF_W, R2, FRAME, LENGTH);
  alu(text, BPF_ADD, R2, more);
  emit(text, BPF_ALU | BPF_END | BPF_TO_BE, R2, 0, 0, 16);
  store(text, BPF_H, FRAME, OUTER + at, R2);
}

static void finish_ipv4(struct text *text) {
  put_length(text, 36, ETH_HLEN + 2);
  load(text, BPF_W, R4, ROW, OUTER_AT(sum));
  add(text, R4, R2);
  load(text, BPF_W, R1, FRAME, TOS);
  store(text, BPF_B, FRAME, OUTER + ETH_HLEN + 1, R1);
  emit(text, BPF_ALU | BPF_END | BPF_TO_BE, R1, 0, 0, 16);
  add(text, R4, R1);
  store(text, BPF_DW, FRAME, LENGTH, R4);
  load(text, BPF_W, R1, ROW, OUTER_AT(df));
  int whole = jump_if(text, BPF_JNE, R1, 0);
  /* A router may fragment it. */
  call(text, BPF_FUNC_get_prandom_u32);
  alu(text, BPF_AND, R0, 0xffff);
  store(text, BPF_H, FRAME, OUTER + ETH_HLEN + 4, R0);
  load(text, BPF_DW, R4, FRAME, LENGTH);
  add(text, R4, R0);
  store(text, BPF_DW, FRAME, LENGTH, R4);
  aim(text, whole);
  load(text, BPF_DW, R4, FRAME, LENGTH);
  for (int i = 0; i < 2; i++) {
    move(text, R1, R4);
    alu(text, BPF_RSH, R1, 16);
    alu(text, BPF_AND, R4, 0xffff);
    add(text, R4, R1);
  }
  alu(text, BPF_XOR, R4, 0xffff);
  store(text, BPF_H, FRAME, OUTER + ETH_HLEN + 10, R4);
}

static void finish_ipv6(struct text *text) {
  put_length(text, 16, ETH_HLEN + 4);
  load(text, BPF_W, R1, FRAME, TOS);
  move(text, R2, R1);
  alu(text, BPF_RSH, R1, 4);
  alu(text, BPF_OR, R1, 0x60);
  store(text, BPF_B, FRAME, OUTER + ETH_HLEN, R1);
  alu(text, BPF_LSH, R2, 4);
  store(text, BPF_B, FRAME, OUTER + ETH_HLEN + 1, R2);
}

/*
 * With the headers in ROW. Returns the number of jumps to the end of a frame that could not be changed. `refused` gets
 * the jump of one that the kernel puts no header before.
 */
static int encapsulate(struct text *text, int family, int *refused, int failed[2]) {
  int length = family == 4 ? OT_FLOW_OUTER_IPV4 : OT_FLOW_OUTER_IPV6, udp = length - 16;
  int layer3 = family == 4 ? ROOM_ENCAP_L3_IPV4 : ROOM_ENCAP_L3_IPV6;
  move(text, R1, SKB);
  set(text, R2, length);
  set(text, R3, ROOM_MAC);
  emit(text, BPF_LD | BPF_DW | BPF_IMM, R4, 0, 0, ROOM_FIXED_GSO | layer3 | ROOM_ENCAP_L4_UDP | ROOM_ENCAP_L2_ETH);
  emit(text, 0, 0, 0, 0, ROOM_ENCAP_L2);
  call(text, BPF_FUNC_skb_adjust_room);
  *refused = jump_if(text, BPF_JNE, R0, 0);
  count_frame(text);
  for (int at = 0; at < 72; at += 4) {
    load(text, BPF_W, R1, ROW, OUTER_AT(header) + at);
    store(text, BPF_W, FRAME, OUTER + at, R1);
  }
  for (int at = 0; at < ETH_HLEN; at += 2) {
    load(text, BPF_H, R1, FRAME, INNER + at);
    store(text, BPF_H, FRAME, OUTER + length + at, R1);
  }
  load(text, BPF_W, R1, FRAME, PORT);
  store(text, BPF_H, FRAME, OUTER + udp, R1);
  put_length(text, 16, udp + 4);
  if (family == 4) finish_ipv4(text);
  else finish_ipv6(text);
  move(text, R1, SKB);
  set(text, R2, 0);
  move_sum(text, R3, FRAME, OUTER);
  set(text, R4, length + ETH_HLEN);
  set(text, R5, 0);
  call(text, BPF_FUNC_skb_store_bytes);
  failed[0] = jump_if(text, BPF_JNE, R0, 0);
  /* The slot may have got the headers of another row meanwhile. */
  load(text, BPF_W, R1, ROW, OUTER_AT(serial));
  load(text, BPF_W, R2, NOTE, NOTE_AT(serial));
  failed[1] = jump_if_reg(text, BPF_JNE, R1, R2);
  load(text, BPF_W, R1, NOTE, NOTE_AT(out));
  set(text, R2, 0);
  set(text, R3, 0);
  set(text, R4, 0);
  call(text, REDIRECT_NEIGHBOUR);
  emit(text, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  return 2;
}

/* The frame enters a tunnel if its row says so. Returns the number of jumps to the end of one that could not be
 * changed. */
static int enter_tunnel(struct text *text, const struct ot_flow_maps *maps, int refused[2], int failed[6]) {
  int count = 0;
  load(text, BPF_W, R1, NOTE, NOTE_AT(operation));
  int local = jump_if(text, BPF_JLT, R1, OT_FLOW_ENCAPSULATE_IPV4);
  load(text, BPF_W, R1, NOTE, NOTE_AT(slot));
  store(text, BPF_W, FRAME, SLOT, R1);
  take_map(text, R1, BPF_PSEUDO_MAP_FD, maps->outers);
  move_sum(text, R2, FRAME, SLOT);
  call(text, BPF_FUNC_map_lookup_elem);
  failed[count++] = jump_if(text, BPF_JEQ, R0, 0);
  move(text, ROW, R0);
  move(text, R1, SKB);
  set(text, R2, 0);
  move_sum(text, R3, FRAME, INNER);
  set(text, R4, 16);
  call(text, BPF_FUNC_skb_load_bytes);
  failed[count++] = jump_if(text, BPF_JNE, R0, 0);
  choose_tos(text);
  choose_port(text);
  load(text, BPF_W, R1, NOTE, NOTE_AT(operation));
  int ipv6 = jump_if(text, BPF_JGE, R1, OT_FLOW_ENCAPSULATE_IPV6);
  count += encapsulate(text, 4, refused, failed + count);
  aim(text, ipv6);
  count += encapsulate(text, 6, refused + 1, failed + count);
  aim(text, local);
  return count;
}

/* Returns the jumps to the end of a frame whose tag could not be changed. */
static void change_tag(struct text *text, int failed[2]) {
  load(text, BPF_W, R1, NOTE, NOTE_AT(operation));
  alu(text, BPF_AND, R1, OT_FLOW_ENCAPSULATE_IPV4 - 1);
  int keep = jump_if(text, BPF_JEQ, R1, OT_FLOW_TAG_KEEP);
  int push = jump_if(text, BPF_JEQ, R1, OT_FLOW_TAG_PUSH);
  move(text, R1, SKB);
  call(text, BPF_FUNC_skb_vlan_pop);
  failed[0] = jump_if(text, BPF_JNE, R0, 0);
  int popped = jump(text);
  aim(text, push);
  move(text, R1, SKB);
  set(text, R2, htons(ETH_P_8021Q));
  load(text, BPF_W, R3, NOTE, NOTE_AT(tci));
  call(text, BPF_FUNC_skb_vlan_push);
  failed[1] = jump_if(text, BPF_JNE, R0, 0);
  aim(text, keep);
  aim(text, popped);
}

static void write_second(struct text *text, const struct ot_flow_maps *maps, uint32_t device) {
  int failed[2], refused[2], more[6];
  find_note(text, maps);
  take_note(text, device);
  keep_facts(text, maps);
  change_tag(text, failed);
  int count = enter_tunnel(text, maps, refused, more);
  count_frame(text);
  load(text, BPF_W, R1, NOTE, NOTE_AT(out));
  set(text, R2, 0);
  call(text, BPF_FUNC_redirect);
  emit(text, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  aim(text, failed[0]);
  aim(text, failed[1]);
  for (int i = 0; i < count; i++) aim(text, more[i]);
  end(text, TC_ACT_SHOT);
  for (int i = 0; i < 2; i++) aim(text, refused[i]);
  come_again(text);
  land(text);
  end(text, NEXT_PROGRAM);
}

int ot_flow_filter(const struct ot_flow_maps *maps, uint32_t device, struct ot_fault *fault) {
  struct text text = {.count = 0};
  write_filter(&text, maps, device);
  return ot_bpf_load(BPF_PROG_TYPE_SOCKET_FILTER, text.at, text.count, "overtap_flow_in", "a flow's look-up", fault);
}

int ot_flow_link(const struct ot_flow_maps *maps, uint32_t device, int interface, struct ot_fault *fault) {
  struct text text = {.count = 0};
  write_second(&text, maps, device);
  return ot_tcx_attach(text.at, text.count, "overtap_flow", "a known flow", interface, "an interface with known flows",
                       fault);
}
