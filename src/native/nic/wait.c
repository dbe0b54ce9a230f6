/*
 * Waits for the next batch: looks for frames for a while before it sleeps, where that is worth it.
 *
 * After a batch the next one often follows soon: looking out for it saves the wake-up and, in a virtual machine, the
 * exit from the idle state. sched_yield lets other threads run meanwhile. In vain it only costs CPU, so an engine that
 * has not found anything in time for a while sleeps at once, and tries again now and then.
 */
#include <errno.h>
#include <sched.h>

#include "receive.h"

/*
 * Looking out goes on while one in four times succeeds, over about the last dozen of times; without that, it is tried
 * once in so many.
 */
#define SUCCESS 3
#define MOST_CREDIT 12
#define TRIED_EACH 16
/* A wait that is over so soon did not sleep. */
#define AT_ONCE_NS 5000

/* The time at which a wait ends; UINT64_MAX: never. */
static uint64_t deadline(int timeout_ms) {
  return timeout_ms < 0 ? UINT64_MAX : ot_nanoseconds() + (uint64_t)timeout_ms * 1000000;
}

static int left_until(uint64_t end) {
  uint64_t now = ot_nanoseconds();
  return end == UINT64_MAX ? -1 : now < end ? (int)((end - now + 999999) / 1000000) : 0;
}

/* epoll_wait that a signal does not end early: an io_uring that is closed interrupts its thread some time later. */
static int sleep_until(struct ot_nic *nic, struct epoll_event *events, int most, int timeout_ms, uint64_t end) {
  int ready;
  if (timeout_ms) ot_rings_arm(nic);
  while ((ready = epoll_wait(nic->epoll, events, most, timeout_ms)) < 0 && errno == EINTR) timeout_ms = left_until(end);
  return ready;
}

/* Whether to look out this time. */
static bool is_worth_it(struct ot_nic *nic) {
  return !nic->spin_adapts || nic->spin_credit > 0 || ++nic->spin_waits % TRIED_EACH == 0;
}

/* Returns whether something was found: events, whose number is *ready, or frames in a ring of a packet socket. */
static bool look_out(struct ot_nic *nic, struct epoll_event *events, int most, uint64_t end, int *ready) {
  uint64_t now = ot_nanoseconds(), until = end - now > nic->spin_ns ? now + nic->spin_ns : end;
  bool found;
  do {
    sched_yield();
    *ready = epoll_wait(nic->epoll, events, most, 0);
    found = *ready > 0 || ot_rings_filled(nic) || (*ready < 0 && errno != EINTR);
  } while (!found && ot_nanoseconds() < until);
  int32_t credit = nic->spin_credit + (found ? SUCCESS : -1);
  nic->spin_credit = credit < 0 ? 0 : credit > MOST_CREDIT ? MOST_CREDIT : credit;
  return found;
}

/* Without looking out. Frames that were there already are told by the time that it took. */
static int sleep_at_once(struct ot_nic *nic, struct epoll_event *events, int most, int timeout_ms, uint64_t end) {
  uint64_t begin = ot_nanoseconds();
  int ready = sleep_until(nic, events, most, timeout_ms, end);
  nic->prompt = ready > 0 && ot_nanoseconds() - begin < AT_ONCE_NS;
  return ready;
}

int ot_wait(struct ot_nic *nic, bool busy, struct epoll_event *events, int most, int timeout_ms) {
  uint64_t end = deadline(timeout_ms);
  nic->prompt = false;
  if (!busy) return sleep_until(nic, events, most, timeout_ms, end);
  if (!nic->spin_ns || !timeout_ms || !is_worth_it(nic)) return sleep_at_once(nic, events, most, timeout_ms, end);
  int ready = sleep_until(nic, events, most, 0, 0);
  nic->prompt = ready > 0;
  if (ready || look_out(nic, events, most, end, &ready)) return ready;
  return sleep_until(nic, events, most, timeout_ms < 0 ? -1 : left_until(end), end);
}
