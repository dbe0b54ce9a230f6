/* See fake-kernel.c. */
#ifndef FAKE_KERNEL_H
#define FAKE_KERNEL_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_QUEUE 16

struct fake {
  /* Called with each question: queues what the kernel says to it. */
  void (*answer)(const struct nlmsghdr *question);
  /* Called when the queue is empty: queues more. */
  void (*flood)(void);
  /* What is in the queue stays there when a question is sent. */
  bool keep;
  int lost;    /* looks that end with ENOBUFS */
  int look_ms; /* how long one takes */
  bool module_is_there, connected;
  int groups;                       /* that were joined */
  int asked_of[64], refused_of[64]; /* by protocol: sockets opened, and the errno that one gets */
  int questions;
};

extern struct fake fake;

/* Queues a datagram of that port (0: the kernel's) to these groups. */
void fake_send(uint32_t port, uint32_t groups, const void *bytes, size_t length);
void fake_forget(void);

#endif
