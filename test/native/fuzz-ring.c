/*
 * Rings of a packet socket as no kernel would fill them, read by ring-read.c into an arena of exactly the size that a
 * Nic has: built with the address sanitizer, which ends the program at the first byte outside. Prints how many frames
 * were described, and how many slots were filled.
 *
 * In place of the kernel: a ring that begins and ends with its memory, and a queue with any number of messages.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/native/devices/packet-ring.h"
#include "../../src/native/frames/offload.h"
#include "../../src/native/nic/receive.h"

#define FRAMES 256
#define ARENA (40 * SLOT_BYTES)

static uint32_t state;
static uint8_t *memory;

static uint32_t below(uint32_t bound) {
  state = state * 1664525 + 1013904223;
  return (uint32_t)((uint64_t)state * bound >> 32);
}

uint8_t *ot_packet_ring_map(int fd) {
  (void)fd;
  return memory;
}
void ot_packet_ring_unmap(uint8_t *ring) { (void)ring; }
int ot_packet_ring_end(int fd) {
  (void)fd;
  return 0;
}

/* The virtio-net header and an IPv4 packet of TCP in GRE, or bytes of any kind. */
static void fill(uint8_t *header, uint8_t *frame, uint32_t length) {
  for (uint32_t i = 0; i < length; i++) frame[i] = (uint8_t)below(256);
  for (uint32_t i = 0; i < VNET_HEADER_SIZE; i++) header[i] = (uint8_t)below(below(3) ? 1 : 256);
  if (below(2) || length < 14 + 20 + 4 + 20 + 20) return;
  struct ot_vnet vnet = {.flags = 1, .gso_type = VNET_GSO_TCPV4, .gso_size = (uint16_t)(1 + below(2000))};
  vnet.csum_start = 14 + 20 + 4 + 20;
  vnet.csum_offset = 16;
  memcpy(header, &vnet, VNET_HEADER_SIZE);
  for (uint32_t at = 14; at < 50; at += 24) {
    memset(frame + at, 0, 24);
    frame[at] = 0x45;
    ot_put_word(frame + at + 2, length - at);
    frame[at + 9] = at == 14 ? 47 : 6;
  }
  ot_put_word(frame + 12, 0x0800);
  frame[14 + 20 + 4 + 20 + 12] = 0x50;
}

int ot_receive_messages(int fd, struct mmsghdr *messages, unsigned count) {
  (void)fd;
  if (!below(8)) {
    errno = below(4) ? below(2) ? EAGAIN : EINVAL : ENETDOWN;
    return -1;
  }
  uint32_t got = 1 + below(count);
  for (uint32_t i = 0; i < got; i++) {
    struct iovec *vector = messages[i].msg_hdr.msg_iov;
    uint32_t length = below(16) ? below(2000) : below((uint32_t)vector->iov_len + 1);
    messages[i].msg_len = length;
    messages[i].msg_hdr.msg_flags = below(16) ? 0 : MSG_TRUNC;
    messages[i].msg_hdr.msg_controllen = 0;
    uint8_t *base = vector->iov_base;
    if (length > VNET_HEADER_SIZE) fill(base, base + VNET_HEADER_SIZE, length - VNET_HEADER_SIZE);
    /* The kernel may write as much as it was offered. */
    base[vector->iov_len - 1] = 1;
  }
  return (int)got;
}

static void fill_slot(struct tpacket2_hdr *slot) {
  uint32_t length = below(OT_RING_SLOT - 76 + 1);
  *slot = (struct tpacket2_hdr){.tp_len = length, .tp_snaplen = length, .tp_mac = 76, .tp_net = 90};
  fill((uint8_t *)slot + 66, (uint8_t *)slot + 76, length);
  if (!below(8)) slot->tp_mac = (uint16_t)below(65536);
  if (!below(8)) slot->tp_snaplen = below(2) ? below(OT_RING_SLOT) : state;
  if (!below(8)) slot->tp_len = below(2) ? below(70000) : state;
  slot->tp_vlan_tci = (uint16_t)below(65536);
  slot->tp_vlan_tpid = (uint16_t)below(65536);
  slot->tp_status = TP_STATUS_USER | (below(4) ? 0 : TP_STATUS_COPY) | (below(2) ? 0 : below(1u << 31));
}

/* Fills some slots behind those that are filled. Returns their number. */
static uint32_t produce(uint32_t *head) {
  uint32_t count = below(200), made = 0;
  for (; made < count; made++, *head = (*head + 1) % OT_RING_SLOTS) {
    struct tpacket2_hdr *slot = ot_ring_slot(memory, *head);
    if (slot->tp_status) break;
    fill_slot(slot);
  }
  return made;
}

static void begin(struct ot_nic *nic) {
  nic->frames = below(4) ? 0 : below(FRAMES);
  nic->bytes = 0;
  nic->next = after(below(2) ? 0 : below(ARENA - SLOT_BYTES - 256));
}

int main(int count, char **words) {
  if (count != 3) return 1;
  state = (uint32_t)strtoul(words[1], NULL, 10);
  uint32_t runs = (uint32_t)strtoul(words[2], NULL, 10), described = 0, filled = 0, head = 0;
  memory = calloc(1, OT_RING_BYTES);
  struct ot_nic *nic = calloc(1, sizeof *nic);
  *nic = (struct ot_nic){.arena = malloc(ARENA), .arena_bytes = ARENA, .max_frames = FRAMES, .batch_bytes = 1 << 20};
  nic->rx = malloc(FRAMES * RX_STRIDE * sizeof *nic->rx);
  struct ot_port port = {.fd = 3, .vnet_size = VNET_HEADER_SIZE, .reserve = 1, .typical = 1500};
  port.packets = (struct ot_packet_queue *)1;
  port.ring = ot_ring_create(0, 3);
  for (uint32_t run = 0; run < runs; run++) {
    filled += produce(&head);
    /* A process that was killed in the middle of a group. */
    if (!below(16)) {
      struct ot_ring_record *record = ot_ring_record(memory);
      uint32_t place = record->place;
      record->until = head;
      if (place != head) ot_ring_slot(memory, place)->tp_status = 0;
    }
    begin(nic);
    uint32_t before = nic->frames;
    ot_ring_take(nic, 0, &port, 1 + below(FRAMES), 1 + below(1 << 20));
    described += nic->frames - before;
    for (uint32_t i = before; i < nic->frames; i++) {
      const int32_t *rx = nic->rx + (size_t)i * RX_STRIDE;
      if (rx[RX_OFFSET] < 0 || rx[RX_LENGTH] < 0 || (size_t)rx[RX_OFFSET] + (size_t)rx[RX_LENGTH] > ARENA) return 2;
    }
  }
  printf("%u of %u\n", described, filled);
  ot_ring_free(port.ring);
  free(nic->rx);
  free(nic->arena);
  free(nic);
  free(memory);
  return 0;
}
