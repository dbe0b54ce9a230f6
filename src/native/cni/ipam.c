/* Runs the IPAM plugin, as the specification has plugins do ("Plugin Delegation"). */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cni.h"

#define LONGEST_PATH 4096
/* Milliseconds between asking a plugin to end and killing it. */
#define GRACE_MS 1000

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

/* A file of this name in a folder of CNI_PATH. False: errno. */
static bool find(const char *type, char *path, size_t room) {
  const char *at = getenv("CNI_PATH");
  errno = ENOENT;
  if (at == NULL || *type == '\0' || *type == '.' || strchr(type, '/') != NULL) return false;
  while (*at != '\0') {
    size_t length = strcspn(at, ":");
    int written = snprintf(path, room, "%.*s/%s", (int)length, at, type);
    if (length > 0 && written > 0 && (size_t)written < room && access(path, X_OK) == 0) return true;
    at += length + (at[length] == ':');
  }
  errno = ENOENT;
  return false;
}

static void run_child(const char *path, const char *command, const int in[2], const int out[2]) {
  if (dup2(in[0], STDIN_FILENO) < 0 || dup2(out[1], STDOUT_FILENO) < 0) _exit(126);
  close(in[0]);
  close(in[1]);
  close(out[0]);
  close(out[1]);
  setenv("CNI_COMMAND", command, 1);
  /* What it starts itself ends with it, where its time is over. */
  setpgid(0, 0);
  /* One that prints without end is to end when nobody reads. */
  signal(SIGPIPE, SIG_DFL);
  execl(path, path, (char *)NULL);
  _exit(127);
}

/* Writes and reads in turn, so that neither side waits for the other for ever: a pipe that poll(2) calls writable has
 * room for PIPE_BUF bytes, and a longer write would wait. @param end of its time */
static int feed(int in, int out, const struct text *config, struct text *output, long end) {
  size_t sent = 0;
  for (;;) {
    struct pollfd both[2] = {{.fd = out, .events = POLLIN}, {.fd = in, .events = POLLOUT}};
    long left_ms = end - now_ms();
    if (left_ms <= 0) break;
    if (poll(both, in < 0 ? 1 : 2, (int)left_ms) < 0) {
      if (errno == EINTR) continue;
      break;
    }
    if (in >= 0 && both[1].revents != 0) {
      size_t left = config->length - sent;
      ssize_t wrote = write(in, config->bytes + sent, left < PIPE_BUF ? left : PIPE_BUF);
      if (wrote > 0) sent += (size_t)wrote;
      if (wrote < 0 || sent == config->length) {
        close(in);
        in = -1;
      }
    }
    if (both[0].revents == 0) continue;
    char part[16384];
    ssize_t got = read(out, part, sizeof part);
    if (got <= 0 || output->length + (size_t)got > MOST_TEXT) break;
    if (!text_add(output, part, (size_t)got)) break;
  }
  if (in >= 0) close(in);
  return text_add(output, "", 0) ? 0 : -1;
}

/* Waits for its end, until a time. False: it has not ended, or cannot be waited for. */
static bool wait_until(pid_t child, int *status, long end) {
  const struct timespec moment = {.tv_nsec = 1000000};
  for (;;) {
    pid_t ended = waitpid(child, status, WNOHANG);
    if (ended == child) return true;
    if (ended < 0 && errno != EINTR) return false;
    if (now_ms() >= end) return false;
    nanosleep(&moment, NULL);
  }
}

/* Ends a plugin whose time is over: asks it first, then kills it and what it has started. */
static void end_child(pid_t child, int *status) {
  kill(child, SIGTERM);
  bool has_ended = wait_until(child, status, now_ms() + GRACE_MS);
  kill(-child, SIGKILL);
  if (has_ended) return;
  kill(child, SIGKILL);
  while (waitpid(child, status, 0) < 0 && errno == EINTR) {}
}

/* The error of a plugin that has not ended in time, in place of what it has said. */
static int overdue(const char *type, const char *command, int seconds, struct text *output) {
  char words[256];
  snprintf(words, sizeof words, "%s has not ended %s within %d s, and was killed", type, command, seconds);
  output->length = 0;
  return text_word(output, words) ? IPAM_OVERDUE : -1;
}

int ipam_run(const char *type, const char *command, const struct text *config, int seconds, struct text *output) {
  char path[LONGEST_PATH];
  int in[2], out[2], status = 0;
  if (!find(type, path, sizeof path) || pipe(in) < 0) return -1;
  if (pipe(out) < 0) return -1;
  pid_t child = fork();
  if (child == 0) run_child(path, command, in, out);
  close(in[0]);
  close(out[1]);
  if (child < 0) return -1;
  long end = now_ms() + 1000L * seconds;
  int fed = feed(in[1], out[0], config, output, end);
  close(out[0]);
  if (!wait_until(child, &status, end)) {
    end_child(child, &status);
    return overdue(type, command, seconds, output);
  }
  if (fed < 0) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
