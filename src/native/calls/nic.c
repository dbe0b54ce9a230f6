/*
 * The verbs on a Nic as JavaScript calls them. Owns the handle: it keeps the arrays alive whose memory the Nic uses,
 * and checks before each batch that no array was detached.
 */
#include <errno.h>
#include <stdlib.h>

#include "args.h"
#include "../nic/nic.h"

#define ARRAYS 4

struct handle {
  struct ot_nic *nic;
  napi_ref buffers[ARRAYS]; /* ArrayBuffers of arena, rx, tx, status */
};

static const napi_type_tag HANDLE_TAG = {0x6f76657274617031ull, 0x9c1d5b0e4a7f2683ull};

static void finalize(napi_env env, void *data, void *hint) {
  struct handle *handle = data;
  (void)hint;
  for (int i = 0; i < ARRAYS; i++)
    if (handle->buffers[i]) napi_delete_reference(env, handle->buffers[i]);
  if (handle->nic) ot_nic_free(handle->nic);
  free(handle);
}

/* The first of `count` arguments is the handle. */
static struct handle *read_handle(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  void *data = NULL;
  bool tagged = false;
  if (!ot_arguments(env, info, count, values)) return NULL;
  if (napi_check_object_type_tag(env, values[0], &HANDLE_TAG, &tagged) == napi_ok && tagged &&
      napi_unwrap(env, values[0], &data) == napi_ok)
    return data;
  ot_throw_argument(env, "not a handle made by createNic");
  return NULL;
}

/* A transferred ArrayBuffer has taken its memory along. */
static bool memory_is_there(napi_env env, struct handle *handle) {
  for (int i = 0; i < ARRAYS; i++) {
    napi_value buffer;
    bool detached = true;
    napi_get_reference_value(env, handle->buffers[i], &buffer);
    napi_is_detached_arraybuffer(env, buffer, &detached);
    if (!detached) continue;
    ot_throw_argument(env, "a buffer of the Nic was transferred to another thread");
    return false;
  }
  return true;
}

static bool keep(napi_env env, struct handle *handle, int i, napi_value buffer, const char *name) {
  bool is = false;
  napi_is_arraybuffer(env, buffer, &is);
  if (is && napi_create_reference(env, buffer, 1, &handle->buffers[i]) == napi_ok) return true;
  ot_throw_argument(env, "%s must lie in an ArrayBuffer of its own thread", name);
  return false;
}

static bool read_words(napi_env env, napi_value options, const char *name, struct handle *handle, int i,
                       int32_t **words, size_t *count) {
  napi_value value, buffer;
  napi_typedarray_type type;
  bool is = false;
  if (ot_has(env, options, name, &value)) napi_is_typedarray(env, value, &is);
  if (!is || napi_get_typedarray_info(env, value, &type, count, (void **)words, &buffer, NULL) != napi_ok ||
      type != napi_int32_array) {
    ot_throw_argument(env, "%s must be an Int32Array", name);
    return false;
  }
  return keep(env, handle, i, buffer, name);
}

static bool read_options(napi_env env, napi_value options, struct handle *handle, struct ot_nic_options *result) {
  napi_value arena;
  int64_t headers, batch, frames, vnet, spin = 0;
  bool is = false;
  if (ot_has(env, options, "arena", &arena)) napi_is_arraybuffer(env, arena, &is);
  if (!is || napi_get_arraybuffer_info(env, arena, (void **)&result->arena, &result->arena_bytes) != napi_ok) {
    ot_throw_argument(env, "arena must be an ArrayBuffer");
    return false;
  }
  if (!keep(env, handle, 0, arena, "arena") ||
      !read_words(env, options, "rx", handle, 1, &result->rx, &result->rx_words) ||
      !read_words(env, options, "tx", handle, 2, &result->tx, &result->tx_words) ||
      !read_words(env, options, "status", handle, 3, &result->status, &result->status_words))
    return false;
  if (!ot_get_int(env, options, "headerBytes", true, 0, INT32_MAX, &headers) ||
      !ot_get_int(env, options, "batchBytes", true, 1, INT32_MAX, &batch) ||
      !ot_get_int(env, options, "maxFrames", true, 1, 65536, &frames) ||
      !ot_get_int(env, options, "vnetHeaderSize", true, 10, 12, &vnet))
    return false;
  result->header_bytes = (size_t)headers;
  result->batch_bytes = (size_t)batch;
  result->max_frames = (size_t)frames;
  result->vnet_size = (size_t)vnet;
  if (!ot_get_int(env, options, "spinMicroseconds", false, 0, 1000000, &spin)) return false;
  result->spin_us = (uint32_t)spin;
  result->udp_segment = result->merge = result->tunnel_guard = true;
  return ot_get_bool(env, options, "udpSegment", false, &result->udp_segment) &&
         ot_get_bool(env, options, "merge", false, &result->merge) &&
         ot_get_bool(env, options, "tunnelGso", false, &result->tunnel_gso) &&
         ot_get_bool(env, options, "tunnelGuard", false, &result->tunnel_guard) &&
         ot_get_bool(env, options, "ioUring", false, &result->io_uring) &&
         ot_get_bool(env, options, "spinAdapts", false, &result->spin_adapts);
}

static napi_value create_nic(napi_env env, napi_callback_info info) {
  napi_value argument, object;
  struct ot_nic_options options = {0};
  struct ot_fault fault;
  struct handle *handle = calloc(1, sizeof *handle);
  if (!handle) return ot_throw_argument(env, "out of memory");
  if (ot_arguments(env, info, 1, &argument) && read_options(env, argument, handle, &options)) {
    handle->nic = ot_nic_create(&options, &fault);
    if (!handle->nic) {
      ot_throw(env, &fault);
    } else if (napi_create_object(env, &object) == napi_ok &&
               napi_type_tag_object(env, object, &HANDLE_TAG) == napi_ok &&
               napi_wrap(env, object, handle, finalize, NULL, NULL) == napi_ok) {
      return object;
    }
  }
  finalize(env, handle, NULL);
  return NULL;
}

static napi_value close_nic(napi_env env, napi_callback_info info) {
  napi_value value;
  struct handle *handle = read_handle(env, info, 1, &value);
  if (handle) ot_nic_close(handle->nic);
  return NULL;
}

static napi_value receive(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int64_t timeout;
  struct ot_fault fault;
  struct handle *handle = read_handle(env, info, 2, values);
  if (!handle || !memory_is_there(env, handle) || !ot_to_int(env, values[1], "timeoutMs", -1, INT32_MAX, &timeout))
    return NULL;
  int frames = ot_nic_receive(handle->nic, (int)timeout, &fault);
  return frames < 0 ? ot_throw(env, &fault) : ot_int(env, frames);
}

static napi_value transmit(napi_env env, napi_callback_info info) {
  napi_value values[3];
  int64_t count;
  bool more = false;
  struct handle *handle = read_handle(env, info, 3, values);
  if (!handle || !memory_is_there(env, handle)) return NULL;
  if (!ot_to_int(env, values[1], "count", 0, (int64_t)handle->nic->tx_capacity, &count)) return NULL;
  if (napi_get_value_bool(env, values[2], &more) != napi_ok)
    return ot_throw_argument(env, "more must be true or false");
  return ot_int(env, ot_nic_transmit(handle->nic, (uint32_t)count, more));
}

enum table { TAPS, SOCKETS, SENDERS };

static napi_value attach(napi_env env, napi_callback_info info, enum table table) {
  napi_value values[5];
  napi_valuetype type;
  int64_t index, fd, vnet;
  bool layer3 = false;
  struct ot_fault fault;
  struct handle *handle = read_handle(env, info, 5, values);
  if (!handle || !ot_to_int(env, values[1], "index", 0, OT_MAX_PORTS - 1, &index)) return NULL;
  if (!ot_to_int(env, values[2], "fd", 0, INT32_MAX, &fd)) return NULL;
  struct ot_nic *nic = handle->nic;
  vnet = nic->vnet_size;
  napi_typeof(env, values[3], &type);
  if (type != napi_undefined && !ot_to_int(env, values[3], "vnetHeaderSize", 0, 12, &vnet)) return NULL;
  napi_typeof(env, values[4], &type);
  if (type != napi_undefined && napi_get_value_bool(env, values[4], &layer3) != napi_ok)
    return ot_throw_argument(env, "layer3 must be true or false");
  int result = table == TAPS ? ot_nic_attach_tap(nic, (uint32_t)index, (int)fd, (uint32_t)vnet, layer3, &fault)
                             : ot_nic_attach_socket(nic, (uint32_t)index, (int)fd, &fault);
  return result < 0 ? ot_throw(env, &fault) : NULL;
}

/* Arguments (Nic, index, descriptor, tail, whether frames are received here). */
static napi_value attach_stream(napi_env env, napi_callback_info info) {
  napi_value values[5];
  int64_t index, fd, tail;
  bool reads;
  struct ot_fault fault;
  struct handle *handle = read_handle(env, info, 5, values);
  if (!handle || !ot_to_int(env, values[1], "index", 0, OT_MAX_PORTS - 1, &index) ||
      !ot_to_int(env, values[2], "fd", 0, INT32_MAX, &fd) || !ot_to_int(env, values[3], "tail", 0, INT32_MAX, &tail))
    return NULL;
  if (napi_get_value_bool(env, values[4], &reads) != napi_ok)
    return ot_throw_argument(env, "reads must be true or false");
  int result = ot_nic_attach_stream(handle->nic, (uint32_t)index, (int)fd, (int)tail, reads, &fault);
  return result < 0 ? ot_throw(env, &fault) : NULL;
}

/* Arguments (Nic, index, descriptor, whether frames are received here, path of the remote). */
static napi_value attach_datagrams(napi_env env, napi_callback_info info) {
  napi_value values[5];
  int64_t index, fd;
  bool reads;
  char remote[OT_PATH];
  struct ot_fault fault;
  struct handle *handle = read_handle(env, info, 5, values);
  if (!handle || !ot_to_int(env, values[1], "index", 0, OT_MAX_PORTS - 1, &index) ||
      !ot_to_int(env, values[2], "fd", 0, INT32_MAX, &fd))
    return NULL;
  if (napi_get_value_bool(env, values[3], &reads) != napi_ok)
    return ot_throw_argument(env, "reads must be true or false");
  if (!ot_to_text(env, values[4], "remote", remote, sizeof remote)) return NULL;
  int result = ot_nic_attach_datagrams(handle->nic, (uint32_t)index, (int)fd, reads, remote, &fault);
  return result < 0 ? ot_throw(env, &fault) : NULL;
}

static napi_value detach(napi_env env, napi_callback_info info, enum table table) {
  napi_value values[2];
  int64_t index;
  struct handle *handle = read_handle(env, info, 2, values);
  if (!handle || !ot_to_int(env, values[1], "index", 0, OT_MAX_PORTS - 1, &index)) return NULL;
  struct ot_nic *nic = handle->nic;
  ot_nic_detach(nic, table == TAPS ? &nic->taps : table == SOCKETS ? &nic->sockets : &nic->senders, (uint32_t)index);
  return NULL;
}

static napi_value attach_tap(napi_env env, napi_callback_info info) { return attach(env, info, TAPS); }
static napi_value attach_socket(napi_env env, napi_callback_info info) { return attach(env, info, SOCKETS); }

/* Arguments (Nic, index, descriptor, flow label). */
static napi_value attach_sender(napi_env env, napi_callback_info info) {
  napi_value values[4];
  int64_t index, fd, label;
  struct ot_fault fault;
  struct handle *handle = read_handle(env, info, 4, values);
  if (!handle || !ot_to_int(env, values[1], "index", 0, OT_MAX_PORTS - 1, &index) ||
      !ot_to_int(env, values[2], "fd", 0, INT32_MAX, &fd) ||
      !ot_to_int(env, values[3], "flowLabel", 0, 0xfffff, &label))
    return NULL;
  int result = ot_nic_attach_sender(handle->nic, (uint32_t)index, (int)fd, (uint32_t)label, &fault);
  return result < 0 ? ot_throw(env, &fault) : NULL;
}

static napi_value detach_tap(napi_env env, napi_callback_info info) { return detach(env, info, TAPS); }
static napi_value detach_socket(napi_env env, napi_callback_info info) { return detach(env, info, SOCKETS); }
static napi_value detach_sender(napi_env env, napi_callback_info info) { return detach(env, info, SENDERS); }

static napi_value attach_event(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int64_t fd;
  struct ot_fault fault;
  struct handle *handle = read_handle(env, info, 2, values);
  if (!handle || !ot_to_int(env, values[1], "fd", 0, INT32_MAX, &fd)) return NULL;
  return ot_nic_attach_event(handle->nic, (int)fd, &fault) < 0 ? ot_throw(env, &fault) : NULL;
}

static napi_value set_remote(napi_env env, napi_callback_info info) {
  napi_value values[7];
  int64_t index, word, port;
  uint32_t address[4];
  struct ot_fault fault;
  struct handle *handle = read_handle(env, info, 7, values);
  if (!handle || !ot_to_int(env, values[1], "index", 0, OT_MAX_REMOTES - 1, &index)) return NULL;
  for (int i = 0; i < 4; i++) {
    /* Words are signed (from an Int32Array) or unsigned. */
    if (!ot_to_int(env, values[2 + i], "address word", INT32_MIN, UINT32_MAX, &word)) return NULL;
    address[i] = (uint32_t)word;
  }
  if (!ot_to_int(env, values[6], "port", 1, 65535, &port)) return NULL;
  return ot_nic_set_remote(handle->nic, (uint32_t)index, address, (int)port, &fault) < 0 ? ot_throw(env, &fault) : NULL;
}

static napi_value create_event(napi_env env, napi_callback_info info) {
  struct ot_fault fault;
  (void)info;
  int fd = ot_event_open(&fault);
  return fd < 0 ? ot_throw(env, &fault) : ot_int(env, fd);
}

static napi_value ring(napi_env env, napi_callback_info info) {
  napi_value value;
  int64_t fd;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &value) || !ot_to_int(env, value, "fd", 0, INT32_MAX, &fd)) return NULL;
  return ot_event_ring((int)fd, &fault) < 0 ? ot_throw(env, &fault) : NULL;
}

void ot_export_nic(napi_env env, napi_value exports) {
  ot_export(env, exports, "createNic", create_nic);
  ot_export(env, exports, "closeNic", close_nic);
  ot_export(env, exports, "receive", receive);
  ot_export(env, exports, "transmit", transmit);
  ot_export(env, exports, "attachTap", attach_tap);
  ot_export(env, exports, "attachStream", attach_stream);
  ot_export(env, exports, "attachDatagrams", attach_datagrams);
  ot_export(env, exports, "attachSocket", attach_socket);
  ot_export(env, exports, "attachSender", attach_sender);
  ot_export(env, exports, "attachEvent", attach_event);
  ot_export(env, exports, "detachTap", detach_tap);
  ot_export(env, exports, "detachSocket", detach_socket);
  ot_export(env, exports, "detachSender", detach_sender);
  ot_export(env, exports, "setRemote", set_remote);
  ot_export(env, exports, "createEventFd", create_event);
  ot_export(env, exports, "ring", ring);
}
