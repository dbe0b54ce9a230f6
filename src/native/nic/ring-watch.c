/*
 * Rings that the kernel does not fill any more.
 *
 * Linux up to 6.18 at least never uses a slot again for which it has failed to write a virtio-net header, as of a
 * superframe of SCTP or of fragmented UDP (tpacket_rcv: the slot's bit of rx_owner_map), and all other slots are behind
 * that one. So any guest can stop its ring. The kernel loses frames then, though nothing waits in the ring; the socket
 * goes on without one.
 */
#include <stdlib.h>

#include "../devices/packet-ring.h"
#include "receive.h"

#define WATCH_MS 100

static bool stands_still(struct ot_ring *ring) {
  uint32_t stalls = __atomic_load_n(&ot_ring_record(ring->memory)->stalls, __ATOMIC_RELAXED);
  bool is_quiet = ring->taken == ring->seen_taken && !ot_ring_has_next(ring);
  bool is_still = is_quiet && stalls != ring->seen_stalls;
  if (!is_quiet) ring->seen_stalls = stalls;
  ring->seen_taken = ring->taken;
  return is_still;
}

/* Another process or thread may have it mapped: then at the next look. */
static void end_ring(struct ot_nic *nic, struct ot_port *port) {
  struct ot_ring *ring = port->ring;
  if (ring->is_polled) ot_ring_arm(nic, ring);
  ot_packet_ring_unmap(ring->memory);
  if (ot_packet_ring_end(port->fd) && (ring->memory = ot_packet_ring_map(port->fd))) return;
  free(ring);
  port->ring = NULL;
  nic->rings--;
  nic->latched |= LATCHED_PACKET_RING;
}

void ot_rings_watch(struct ot_nic *nic, uint32_t now_ms) {
  if (!nic->rings || now_ms - nic->rings_seen_ms < WATCH_MS) return;
  nic->rings_seen_ms = now_ms;
  for (uint32_t i = 0; i < nic->taps.size; i++) {
    struct ot_port *port = &nic->taps.ports[i];
    if (port->fd >= 0 && port->ring && stands_still(port->ring)) end_ring(nic, port);
  }
}
