/* A sender of frames at a constant rate, and an exact counter of those that arrive (frames.c). */
#ifndef OVERTAP_BENCH_FRAMES_H
#define OVERTAP_BENCH_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOST_SENDERS 64
#define MOST_SIZES 32
#define MOST_FRAME 1500
/* Frames that differ in their ports are drawn before, and sent in turn. */
#define DRAWN 1024

/* The words of the command line. */
struct order {
  const char *from, *to, *ifname;
  uint8_t source_mac[6], destination_mac[6];
  uint8_t source[4], destination[4];
  int sizes[MOST_SIZES], size_count;
  int flows, senders, trial;
  double rate; /* frames a second of all senders; 0: as fast as they can */
  uint64_t ns; /* how long to send */
};

struct outcome {
  uint64_t intended, sent, refused, received, ns;
};

/* frames-make.c: the frames of a trial, in the order in which they are sent. */
struct drawn {
  int count;
  uint8_t *bytes; /* MOST_FRAME each */
  int *sizes;
};
struct drawn draw_frames(const struct order *order);

/* frames-count.c: a packet socket whose filter takes the frames of a trial; the kernel counts them. */
int open_counter(const struct order *order);
/* Frames that were counted since the last call. */
uint64_t count_frames(int counter);

/* frames-send.c */
int open_sender(const struct order *order);
/* Sends, and returns when the time is over. */
void send_all(const struct order *order, const struct drawn *frames, const int *sockets, struct outcome *outcome);

uint64_t now_ns(void);

#endif
