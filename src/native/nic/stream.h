/*
 * Streams: frames behind a 32-bit big-endian length on a connected stream socket, as QEMU's `-netdev stream` and
 * `socket` have them. stream.c reads them and owns what is left of a frame that was sent in part; parcel.c sends.
 */
#ifndef OVERTAP_STREAM_H
#define OVERTAP_STREAM_H

#include <sys/epoll.h>

#include "../frames/device.h"

/* Bytes of the length before each frame. */
#define OT_STREAM_LENGTH 4
/* Bytes read ahead: several frames of any size with one call. */
#define OT_STREAM_INBOX (128 * 1024)

/*
 * What a stream has under way: the rest of a frame that the socket took in part, which is sent before any other frame,
 * whichever engine has the next one; and what was read and is no whole frame yet. The memory is shared by all engines,
 * each of which has mapped it, and goes on to the next process with its descriptor.
 */
struct ot_tail {
  uint32_t lock;    /* the thread that writes to the socket, 0: none; writes never wait */
  uint32_t at, end; /* what is left of `bytes` */
  uint8_t bytes[OT_STREAM_LENGTH + LONGEST_STREAM_FRAME];
  bool is_known;                 /* it was attached before, by an engine or another process */
  uint32_t read_begin, read_end; /* what was read and not taken yet; of the engine that reads */
  uint8_t inbox[OT_STREAM_INBOX];
};

struct ot_stream {
  struct ot_tail *tail;
  bool is_armed;   /* epoll reports when the socket takes bytes again */
  bool is_waiting; /* in the list of streams whose next frame was read already */
  uint32_t seen;   /* the turn in which epoll has last reported it */
  uint32_t index;
  struct ot_stream *next;
};

/*
 * A holder of the lock may have been killed: what it has not counted as sent is sent again. It is a lock of its own, as
 * those of the C library that outlive a holder would take glibc 2.34.
 */
void ot_tail_lock(struct ot_tail *tail);
void ot_tail_unlock(struct ot_tail *tail);
/* With the lock held. Returns 0 when nothing is left, or an errno: EAGAIN while the socket takes no more. */
int ot_tail_send(struct ot_tail *tail, int fd);
/* Has the rest of a frame sent as soon as the socket takes it. */
void ot_stream_arm(struct ot_nic *nic, uint32_t index, struct ot_port *port);

#endif
