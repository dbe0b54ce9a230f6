/*
 * Rings out of epoll. While a socket is in an epoll set, each frame that the kernel puts into its ring, and each that
 * it has sent for it and frees, goes through the set's lock: 0.1 us a frame, of the sender's time and of the engine's.
 * A ring needs no epoll while its engine is awake, since its memory tells whether a frame is there. All are put back
 * before the engine sleeps.
 */
#include <sys/epoll.h>

#include "receive.h"

/* Frames received or sent at a time that are worth the two system calls. */
#define BUSY_FRAMES 32

void ot_ring_busy(struct ot_nic *nic, struct ot_ring *ring, uint32_t frames) {
  if (ring->is_polled || frames < BUSY_FRAMES || nic->polled_count == OT_POLLED_RINGS) return;
  if (epoll_ctl(nic->epoll, EPOLL_CTL_DEL, ring->fd, NULL) < 0) return;
  ring->is_polled = true;
  ring->next = nic->polled;
  nic->polled = ring;
  nic->polled_count++;
}

void ot_ring_forget(struct ot_nic *nic, struct ot_ring *ring) {
  struct ot_ring **at = &nic->polled;
  while (*at && *at != ring) at = &(*at)->next;
  if (!*at) return;
  *at = ring->next;
  ring->is_polled = false;
  nic->polled_count--;
}

bool ot_rings_filled(const struct ot_nic *nic) {
  for (const struct ot_ring *ring = nic->polled; ring; ring = ring->next)
    if (ot_ring_has_next(ring)) return true;
  return false;
}

void ot_ring_arm(struct ot_nic *nic, struct ot_ring *ring) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)OT_TAP << 32 | ring->index};
  if (epoll_ctl(nic->epoll, EPOLL_CTL_ADD, ring->fd, &event) == 0) ot_ring_forget(nic, ring);
}

void ot_rings_arm(struct ot_nic *nic) {
  for (struct ot_ring *ring = nic->polled, *next; ring; ring = next) {
    next = ring->next;
    ot_ring_arm(nic, ring);
  }
}

int ot_rings_events(const struct ot_nic *nic, struct epoll_event *events, int count) {
  for (const struct ot_ring *ring = nic->polled; ring; ring = ring->next)
    if (ot_ring_has_next(ring))
      events[count++] = (struct epoll_event){.events = EPOLLIN, .data.u64 = (uint64_t)OT_TAP << 32 | ring->index};
  return count;
}
