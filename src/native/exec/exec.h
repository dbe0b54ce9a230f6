/*
 * The library that `overtap exec` preloads into programs: transport only, no meaning.
 *
 * What a program says to rtnetlink is first told to the process of `overtap exec` (OVERTAP_EXEC: the path of its
 * socket). It lets the message pass to the kernel, or asks the kernel something by this process (with this process's
 * rights, in its namespace), or answers itself. An answer takes the place of a datagram that the kernel sends: the
 * acknowledgement of an empty message (`carrier`), so that waiting, poll(2) and MSG_PEEK are the kernel's own.
 *
 * It is a second library, not part of the addon. Its globals are the tables of sockets (sockets.c) and of threads
 * (listeners.c), each behind a lock; neither lock is taken while the other one is held.
 */
#ifndef OVERTAP_EXEC_H
#define OVERTAP_EXEC_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* ---- Bounds ---- */

/* A request of a program; longer ones go to the kernel. */
#define OX_MAX_REQUEST 65536
/* A message of the exchange, in either direction: a dump of some hundred thousand rows. */
#define OX_MAX_MESSAGE (64u << 20)
/* Netlink sockets of a process that are known at once; the oldest one gives way. */
#define OX_MAX_SOCKETS 64
/* Questions to the kernel in one exchange. */
#define OX_MAX_QUESTIONS 256

/* ---- The words of the exchange: u32 length, u32 word, payload. As in src/exec/exchange.ts. ---- */

#define OX_REQUEST 1u /* struct ox_caller, netlink messages */
#define OX_REPLY 2u   /* u32 errno, the kernel's messages */
#define OX_LISTEN 3u  /* struct ox_caller, u32 of groups each */
#define OX_CALL 4u    /* struct ox_caller, u32 request, argument */
/* Requests of OX_CALL that are no ioctl: a folder that stands for /sys/class/net. */
#define OX_SYSFS 1u
/* Groups that a switch has events for: RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_MDB, RTNLGRP_BRVLAN, RTNLGRP_TUNNEL. */
#define OX_GROUP_LINK 1u
#define OX_GROUP_NEIGH 3u
#define OX_GROUP_MDB 26u
#define OX_GROUP_VLAN 33u
#define OX_GROUP_TUNNEL 35u
#define OX_PASS 16u
#define OX_ASK 17u    /* one netlink message for the kernel */
#define OX_ANSWER 18u /* u32 length and datagram, each */
#define OX_RESULT 19u /* u32 errno, bytes */

struct ox_caller {
  uint64_t netns; /* inode of the namespace */
  uint32_t pid;
  uint32_t portid; /* of the netlink socket */
  uint32_t strict; /* NETLINK_GET_STRICT_CHK is on */
  uint32_t extack; /* NETLINK_EXT_ACK is on */
};

struct ox_bytes {
  uint8_t *at;
  size_t length;
};

/* ---- real.c: libc's functions ---- */

int ox_socket(int domain, int type, int protocol);
ssize_t ox_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t ox_recvmsg(int fd, struct msghdr *message, int flags);
int ox_close(int fd);
int ox_fcntl(int fd, int command, void *argument);
/* A function of the next library; ends the process where there is none, as the linker would. */
void *ox_real(const char *name);

/* ---- exchange.c: connections to overtap exec ---- */

/* Whether this process was started by overtap exec. */
bool ox_is_on(void);
/* Inode of the calling thread's network namespace; 0: unknown. */
uint64_t ox_netns(void);
/* A connection; -1: none. */
int ox_connect(void);
bool ox_say(int connection, uint32_t word, const void *head, size_t headLength, const void *body, size_t length);
/* Hears the next word. The caller frees bytes->at. Returns 0 when the connection is at its end. */
uint32_t ox_hear(int connection, struct ox_bytes *bytes);

/* ---- names.c ---- */

/* Asks overtap exec. Returns an errno, or -1 when it is the kernel's affair. `room` bytes of the answer are copied to
 * `to`. */
int ox_call(uint32_t request, const void *from, size_t length, void *to, size_t room);

/* ---- ask.c ---- */

/* Sends one netlink message to the kernel and collects all that it answers. Returns an errno. The caller frees
 * `answer->at`. */
int ox_ask_kernel(const struct ox_caller *caller, struct ox_bytes question, struct ox_bytes *answer);

/* ---- sockets.c: the netlink sockets of the program ---- */

void ox_note_socket(int fd);
void ox_forget_socket(int fd);
/* Whether `fd` is a NETLINK_ROUTE socket. */
bool ox_is_route(int fd);
void ox_same_socket(int fd, int copy);
/* Fills in `caller` for the socket. */
bool ox_caller_of(int fd, struct ox_caller *caller);
/* Puts the datagrams of an OX_ANSWER into the socket's queue. Takes `datagrams`. False: they are malformed, or memory
 * is short. */
bool ox_queue(int fd, struct ox_bytes datagrams);
/* Receives what is queued, in place of its carrier. Returns false when the next datagram is the kernel's. */
bool ox_receive(int fd, struct msghdr *message, int flags, ssize_t *result);
/* False in a child that has this memory and descriptors of its own, as after vfork(2). */
bool ox_is_owner(void);
/* The kernel's name of a NETLINK_ROUTE socket, whatever its descriptors; 0: it is none. */
uint64_t ox_cookie_of(int fd);
/* Whether the program has a descriptor of the socket. */
bool ox_is_open(uint64_t cookie);
/* Datagrams may come to the socket that nothing was asked for. */
bool ox_set_listening(int fd);

/* ---- listeners.c: events ---- */

/* The socket has joined the group; a thread brings events from now on. */
void ox_listen(int fd, uint32_t group);
void ox_listen_no_more(int fd, uint32_t group);
/* The program has closed something: threads whose socket it no longer has end. */
void ox_end_unused(void);
/* Whether the library has opened the descriptor for itself. The program does not know it. */
bool ox_is_own(int fd);
/* The lowest of these from `from` on; UINT_MAX: none. */
unsigned ox_next_own(unsigned from);

#endif
