/*
 * Frames of an existing interface, as its packet socket delivers them: a virtio-net header, the frame without its
 * outermost tag, and the tag beside it (PACKET_AUXDATA). The result is what a TAP delivers: the tag is in the frame,
 * and the header's offsets count it.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>

#include "../frames/offload.h"
#include "receive.h"

#ifndef TP_STATUS_VLAN_VALID
#define TP_STATUS_VLAN_VALID 0x10
#endif
#ifndef TP_STATUS_VLAN_TPID_VALID
#define TP_STATUS_VLAN_TPID_VALID 0x40
#endif

/* A GSO type that nothing has: the frame is refused. */
#define NO_GSO_TYPE 0x7f

/* The status tells, since the TCI of a priority tag may be 0. */
bool ot_netdev_tag(uint32_t status, uint16_t tpid, uint16_t tci, uint8_t tag[4]) {
  if (!(status & TP_STATUS_VLAN_VALID)) return false;
  ot_put_word(tag, status & TP_STATUS_VLAN_TPID_VALID ? tpid : ETH_P_8021Q);
  ot_put_word(tag + 2, tci);
  return true;
}

/* False: the frame has none. */
static bool find_tag(const struct msghdr *message, uint8_t tag[4]) {
  /* CMSG_NXTHDR does not take a const header. */
  struct msghdr copy = *message;
  for (struct cmsghdr *at = CMSG_FIRSTHDR(&copy); at; at = CMSG_NXTHDR(&copy, at)) {
    struct tpacket_auxdata data;
    if (at->cmsg_level != SOL_PACKET || at->cmsg_type != PACKET_AUXDATA || at->cmsg_len < CMSG_LEN(sizeof data))
      continue;
    memcpy(&data, CMSG_DATA(at), sizeof data);
    return ot_netdev_tag(data.tp_status, data.tp_vlan_tpid, data.tp_vlan_tci, tag);
  }
  return false;
}

static void describe_plain(struct ot_nic *nic, int32_t index, const struct ot_vnet *header, size_t offset,
                           size_t length, uint32_t shift) {
  uint32_t headers = header->hdr_len ? ot_moved(header->hdr_len, shift) : 0; /* 0: not told */
  int32_t *rx = describe(nic, KIND_FRAME, index, offset, length);
  rx[RX_VNET] = header->flags | header->gso_type << 8;
  rx[RX_GSO] = (int32_t)(header->gso_size | headers << 16);
  rx[RX_CSUM] = (int32_t)(ot_moved(header->csum_start, shift) | (uint32_t)header->csum_offset << 16);
}

void ot_netdev_describe_frame(struct ot_nic *nic, int32_t index, struct ot_port *port, size_t offset, size_t length,
                              const uint8_t *tag) {
  struct ot_vnet header = {0};
  uint8_t *frame = nic->arena + offset;
  uint32_t shift = 0;
  if (length) memcpy(&header, frame - VNET_HEADER_SIZE, VNET_HEADER_SIZE);
  if (length >= 12 && tag) {
    shift = OT_TAG_ROOM;
    memmove(frame - shift, frame, 12);
    frame -= shift;
    memcpy(frame + 12, tag, OT_TAG_ROOM);
  }
  ot_lro_complete(&header, frame, length + shift, shift);
  uint32_t start = ot_moved(header.csum_start, shift);
  if (!header.gso_type || !ot_tunnel_superframe(&header, frame, length + shift, start)) {
    describe_plain(nic, index, &header, offset - shift, length + shift, shift);
    return;
  }
  if (!ot_tunnel_split(nic, index, &header, offset - shift, length + shift, start))
    ot_netdev_describe_lost(nic, index, offset);
  if (nic->max_frames >= OT_TRAIN_IN) port->reserve = OT_TRAIN_IN;
}

void ot_netdev_describe(struct ot_nic *nic, int32_t index, struct ot_port *port, const struct mmsghdr *message,
                        size_t offset) {
  size_t got = message->msg_len, length = got > VNET_HEADER_SIZE ? got - VNET_HEADER_SIZE : 0;
  uint8_t tag[4];
  if (message->msg_hdr.msg_flags & MSG_TRUNC) ot_netdev_describe_lost(nic, index, offset);
  else ot_netdev_describe_frame(nic, index, port, offset, length, find_tag(&message->msg_hdr, tag) ? tag : NULL);
}

void ot_netdev_describe_lost(struct ot_nic *nic, int32_t index, size_t offset) {
  memset(nic->arena + offset, 0, OT_ETHERNET);
  describe(nic, KIND_FRAME, index, offset, OT_ETHERNET)[RX_VNET] = NO_GSO_TYPE << 8;
}
