/*
 * The program of decap.h at the ingress of its vxlan device: frames that the kernel has taken out of their datagrams go
 * where their rows say. Owns its instructions.
 *
 * The program of under.c has checked their datagrams, and counted them. Here the row is looked up once more, by what
 * the device tells of the datagram: a frame whose row is out of force by now is dropped. So is what under.c cannot have
 * meant: a train whose first datagram claims to be all of it is split by the device, and the others were not looked at.
 * Only trains that GRO keeps as a list come that far (`rx-gro-list`, and no UDP_GRO on the socket); others have no
 * checksum that under.c takes.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <unistd.h>

#include "../devices/tcx.h"
#include "decap.h"
#include "steps.h"

/* struct bpf_tunnel_key as from Linux 6.0 on, with the addresses of this host. */
struct tunnel {
  uint32_t vni, remote[4];
  uint8_t tos, ttl;
  uint16_t flags;
  uint32_t label, local[4];
};
#define IPV6 1 /* BPF_F_TUNINFO_IPV6 */

#define FAR (-56)
#define FAR_AT(field) (FAR + (int)offsetof(struct ot_flow_far, field))
/* Eight bytes below the key are lost (compare_key). */
#define TUNNEL (FAR - 8 - 48)
#define TUNNEL_AT(field) (TUNNEL + (int)offsetof(struct tunnel, field))
/* What the vxlan device tells, of IPv4 or IPv6. */
static void ask_tunnel(struct text *text, int flags) {
  move(text, R1, SKB);
  move_sum(text, R2, FRAME, TUNNEL);
  set(text, R3, sizeof(struct tunnel));
  set(text, R4, flags);
  call(text, BPF_FUNC_skb_get_tunnel_key);
}

/* It has IPv4 addresses in the order of the host, and IPv6 addresses as in a datagram. */
static void copy_addresses(struct text *text, int family) {
  put(text, BPF_H, FRAME, FAR_AT(family), family);
  for (int i = 0; i < (family == 4 ? 4 : 16); i += 4) {
    load(text, BPF_W, R1, FRAME, TUNNEL_AT(remote) + i);
    load(text, BPF_W, R2, FRAME, TUNNEL_AT(local) + i);
    if (family == 4) {
      emit(text, BPF_ALU | BPF_END | BPF_TO_BE, R1, 0, 0, 32);
      emit(text, BPF_ALU | BPF_END | BPF_TO_BE, R2, 0, 0, 32);
    }
    store(text, BPF_W, FRAME, FAR_AT(source) + i, R1);
    store(text, BPF_W, FRAME, FAR_AT(destination) + i, R2);
  }
}

static void write_key(struct text *text) {
  for (int at = FAR; at < 0; at += 8) put(text, BPF_DW, FRAME, at, 0);
  ask_tunnel(text, 0);
  int ipv4 = jump_if(text, BPF_JEQ, R0, 0);
  ask_tunnel(text, IPV6);
  leave_if(text, BPF_JNE, R0, 0);
  copy_addresses(text, 6);
  int both = jump(text);
  aim(text, ipv4);
  copy_addresses(text, 4);
  aim(text, both);
  load(text, BPF_W, R1, FRAME, TUNNEL_AT(vni));
  store(text, BPF_W, FRAME, FAR_AT(vni), R1);
  put(text, BPF_H, FRAME, FAR_AT(port), htons(OT_DECAP_PORT));
  move(text, R1, SKB);
  set(text, R2, 0);
  move_sum(text, R3, FRAME, FAR_AT(to));
  set(text, R4, 2 * ETH_ALEN);
  call(text, BPF_FUNC_skb_load_bytes);
  leave_if(text, BPF_JNE, R0, 0);
}

/* An untagged packet of IP. */
static void check_type(struct text *text) {
  load(text, BPF_W, R1, SKB, SKB_AT(vlan_present));
  leave_if(text, BPF_JNE, R1, 0);
  load(text, BPF_W, R1, SKB, SKB_AT(protocol));
  int ipv4 = jump_if(text, BPF_JEQ, R1, htons(ETH_P_IP));
  leave_if(text, BPF_JNE, R1, htons(ETH_P_IPV6));
  aim(text, ipv4);
}

/* No longer than the device sends, or a superframe. */
static void check_length(struct text *text) {
  load(text, BPF_W, R1, SKB, SKB_AT(gso_size));
  int super = jump_if(text, BPF_JNE, R1, 0);
  load(text, BPF_W, R1, SKB, SKB_AT(len));
  load(text, BPF_W, R2, FRAME, LONGEST_BELOW(TUNNEL));
  leave_if_reg(text, BPF_JGT, R1, R2);
  aim(text, super);
}

static void write_inside(struct text *text, const struct ot_flow_maps *maps) {
  move(text, SKB, R1);
  take_map(text, SHARED, BPF_PSEUDO_MAP_VALUE, maps->shared);
  set(text, R1, 1);
  count(text, (int)offsetof(struct ot_flow_shared, came_out), R1);
  check_type(text);
  write_key(text);
  take_map(text, R1, BPF_PSEUDO_MAP_FD, maps->far);
  move_sum(text, R2, FRAME, FAR);
  call(text, BPF_FUNC_map_lookup_elem);
  take_row(text, offsetof(struct ot_flow_known_far, row));
  compare_stamps(text, maps);
  keep_far_row(text, FAR, TUNNEL);
  check_length(text);
  leave(text, send_out(text, TUNNEL));
  land(text);
  end(text, TC_ACT_SHOT);
}

int ot_flow_inside(const struct ot_flow_maps *maps, int interface, struct ot_fault *fault) {
  struct text text = {.count = 0};
  write_inside(&text, maps);
  return ot_tcx_attach(text.at, text.count, "overtap_inside", "superframes out of tunnels", interface,
                       "the device that takes superframes out of tunnels", fault);
}
