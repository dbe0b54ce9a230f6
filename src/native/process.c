/* What Node does not offer of the process itself: an end at once, and the other end of a unix socket. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "args.h"

/* Arguments (status). Ends the process without waiting for threads: one of them may hang in a write that never returns. */
static napi_value exit_at_once(napi_env env, napi_callback_info info) {
  napi_value value;
  int64_t status;
  if (!ot_arguments(env, info, 1, &value) || !ot_to_int(env, value, "status", 0, 255, &status)) return NULL;
  _exit((int)status);
}

/* Arguments (descriptor). The process at the other end, as it was when it connected (SO_PEERCRED). */
static napi_value peer_of(napi_env env, napi_callback_info info) {
  napi_value value, result;
  int64_t fd;
  struct ot_fault fault;
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (!ot_arguments(env, info, 1, &value) || !ot_to_int(env, value, "fd", 0, INT32_MAX, &fd)) return NULL;
  if (getsockopt((int)fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
    ot_fail(&fault, errno, "getsockopt", "asking for the peer of descriptor %d", (int)fd);
    return ot_throw(env, &fault);
  }
  napi_create_object(env, &result);
  ot_set(env, result, "pid", ot_int(env, peer.pid));
  ot_set(env, result, "uid", ot_int(env, peer.uid));
  return result;
}

void ot_export_process(napi_env env, napi_value exports) {
  ot_export(env, exports, "exitAtOnce", exit_at_once);
  ot_export(env, exports, "peerOf", peer_of);
}
