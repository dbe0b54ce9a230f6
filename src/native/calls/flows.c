/*
 * The verbs on known flows (flows.h) as JavaScript calls them. Owns the handle of an engine: the memory that it shares
 * with the programs.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../flows/decap.h"
#include "../flows/flows.h"
#include "args.h"

#ifndef SO_ATTACH_BPF
#define SO_ATTACH_BPF 50
#endif

/* Words of counts as they are read. */
#define COUNTS 4
/* Devices of the underlay. */
#define UNDERLAYS 8

struct table {
  struct ot_flow_shared *shared;
  struct ot_flow_maps maps;
  struct {
    uint32_t device;
    int link;
  } under[UNDERLAYS];
  uint32_t slots;
  uint32_t serial;            /* of the last outer headers */
  uint32_t went_in, came_out; /* frames of the decapsulator, when one had come out last */
};

static const napi_type_tag TABLE_TAG = {0x6f766572666c6f77ull, 0x2b7d91c6e80f4a35ull};

static napi_value open_maps(napi_env env, napi_callback_info info) {
  napi_value value, result;
  int64_t engines;
  struct ot_flow_maps maps;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &value) || !ot_to_int(env, value, "engines", 1, 64, &engines)) return NULL;
  if (ot_flow_maps_open((uint32_t)engines, &maps, &fault) < 0) return ot_throw(env, &fault);
  napi_create_object(env, &result);
  ot_set(env, result, "rows", ot_int(env, maps.rows));
  ot_set(env, result, "notes", ot_int(env, maps.notes));
  ot_set(env, result, "shared", ot_int(env, maps.shared));
  ot_set(env, result, "far", ot_int(env, maps.far));
  ot_set(env, result, "outers", ot_int(env, maps.outers));
  ot_set(env, result, "slots", ot_int(env, maps.slots));
  ot_set(env, result, "decap", ot_int(env, maps.decap));
  return result;
}

static bool get_maps(napi_env env, napi_value object, struct ot_flow_maps *maps) {
  int64_t rows, notes, shared, far, outers, slots, decap;
  if (!ot_get_int(env, object, "rows", true, 0, INT32_MAX, &rows) ||
      !ot_get_int(env, object, "notes", true, 0, INT32_MAX, &notes) ||
      !ot_get_int(env, object, "shared", true, 0, INT32_MAX, &shared) ||
      !ot_get_int(env, object, "far", true, 0, INT32_MAX, &far) ||
      !ot_get_int(env, object, "outers", true, 0, INT32_MAX, &outers) ||
      !ot_get_int(env, object, "slots", true, OT_FLOW_SLOTS, 64 * OT_FLOW_SLOTS, &slots) ||
      !ot_get_int(env, object, "decap", true, 0, INT32_MAX, &decap))
    return false;
  *maps = (struct ot_flow_maps){.rows = (int)rows,
                                .notes = (int)notes,
                                .shared = (int)shared,
                                .far = (int)far,
                                .outers = (int)outers,
                                .slots = (uint32_t)slots,
                                .decap = (uint32_t)decap};
  return true;
}

/* Argument (maps): makes the decapsulator in the thread's namespace. */
static napi_value open_decap(napi_env env, napi_callback_info info) {
  napi_value value, result;
  struct ot_flow_maps maps;
  struct ot_decap decap;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &value) || !get_maps(env, value, &maps)) return NULL;
  if (ot_decap_open(&maps, &decap, &fault) < 0) return ot_throw(env, &fault);
  napi_create_object(env, &result);
  ot_set(env, result, "netns", ot_int(env, decap.netns));
  ot_set(env, result, "link", ot_int(env, decap.link));
  ot_set(env, result, "index", ot_int(env, decap.index));
  return result;
}

/* In the interface's namespace. Returns the link, or -1. */
static int link_here(const struct ot_flow_maps *maps, uint32_t device, const char *ifname, int *index,
                     struct ot_fault *fault) {
  *index = (int)if_nametoindex(ifname);
  if (!*index) return ot_fail(fault, errno, "ioctl", "looking for the interface %s", ifname);
  return ot_flow_link(maps, device, *index, fault);
}

/* Arguments (maps, number of the device, its place). */
static napi_value link_flows(napi_env env, napi_callback_info info) {
  napi_value values[3], result;
  char netns[OT_PATH], ifname[OT_NAME];
  int64_t device;
  int home, index;
  struct ot_flow_maps maps;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 3, values) || !get_maps(env, values[0], &maps) ||
      !ot_to_int(env, values[1], "device", 1, INT32_MAX, &device) || !ot_get_place(env, values[2], netns, ifname))
    return NULL;
  int filter = ot_flow_filter(&maps, (uint32_t)device, &fault);
  if (filter < 0) return ot_throw(env, &fault);
  int link = -1;
  if (ot_netns_enter(netns, &home, &fault) == 0) {
    link = link_here(&maps, (uint32_t)device, ifname, &index, &fault);
    ot_netns_leave(home);
  }
  if (link < 0) {
    close(filter);
    return ot_throw(env, &fault);
  }
  napi_create_object(env, &result);
  ot_set(env, result, "filter", ot_int(env, filter));
  ot_set(env, result, "link", ot_int(env, link));
  ot_set(env, result, "index", ot_int(env, index));
  return result;
}

/* Arguments (packet socket, filter). */
static napi_value filter_flows(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int64_t fd, filter;
  if (!ot_arguments(env, info, 2, values) || !ot_to_int(env, values[0], "fd", 0, INT32_MAX, &fd) ||
      !ot_to_int(env, values[1], "filter", 0, INT32_MAX, &filter))
    return NULL;
  int program = (int)filter;
  return ot_int(env, setsockopt((int)fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program) < 0 ? errno : 0);
}

static void finalize(napi_env env, void *data, void *hint) {
  struct table *table = data;
  (void)env;
  (void)hint;
  ot_flow_unmap(table->shared, table->slots);
  for (int i = 0; i < UNDERLAYS; i++)
    if (table->under[i].device) close(table->under[i].link);
  free(table);
}

static napi_value map_flows(napi_env env, napi_callback_info info) {
  napi_value value, object;
  struct ot_flow_maps maps;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &value) || !get_maps(env, value, &maps)) return NULL;
  struct table *table = calloc(1, sizeof *table);
  if (!table) return ot_throw_argument(env, "out of memory");
  *table = (struct table){.slots = maps.slots, .maps = maps};
  table->shared = ot_flow_map(maps.shared, maps.slots, &fault);
  if (!table->shared) {
    free(table);
    return ot_throw(env, &fault);
  }
  if (napi_create_object(env, &object) == napi_ok && napi_type_tag_object(env, object, &TABLE_TAG) == napi_ok &&
      napi_wrap(env, object, table, finalize, NULL, NULL) == napi_ok)
    return object;
  finalize(env, table, NULL);
  return NULL;
}

/* The first of `count` arguments is the handle. */
static struct table *read_table(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  void *data = NULL;
  bool tagged = false;
  if (!ot_arguments(env, info, count, values)) return NULL;
  if (napi_check_object_type_tag(env, values[0], &TABLE_TAG, &tagged) == napi_ok && tagged &&
      napi_unwrap(env, values[0], &data) == napi_ok)
    return data;
  ot_throw_argument(env, "not a handle made by mapFlows");
  return NULL;
}

static bool read_words(napi_env env, napi_value value, size_t words, uint8_t **bytes) {
  size_t length;
  if (!ot_to_bytes(env, value, "words", bytes, &length)) return false;
  if (length >= words * 4) return true;
  ot_throw_argument(env, "a flow has %zu words", words);
  return false;
}

enum change { CHANGE_SET, CHANGE_REMOVE };

/* Arguments (table, words of the key, and of the row that is set). Returns 0 or an errno. */
static napi_value change_row(napi_env env, napi_callback_info info, enum change change, bool far) {
  napi_value values[2];
  uint8_t *bytes;
  uint32_t words[OT_FLOW_FAR_WORDS + OT_FLOW_ROW_WORDS];
  size_t key = far ? OT_FLOW_FAR_WORDS : OT_FLOW_KEY_WORDS,
         count = key + (change == CHANGE_SET ? OT_FLOW_ROW_WORDS : 0);
  struct table *table = read_table(env, info, 2, values);
  if (!table || !read_words(env, values[1], count, &bytes)) return NULL;
  memcpy(words, bytes, count * 4);
  int map = far ? table->maps.far : table->maps.rows;
  if (change == CHANGE_REMOVE) return ot_int(env, ot_flow_remove(map, words));
  struct ot_flow_known known;
  struct ot_flow_known_far known_far = {.zero = 0};
  struct ot_flow_row *row = far ? &known_far.row : &known.row;
  memcpy(far ? (void *)&known_far.key : &known.key, words, key * 4);
  memcpy(row, words + key, sizeof *row);
  row->serial = table->serial;
  return ot_int(env, ot_flow_set(map, words, far ? (void *)&known_far : &known));
}

static napi_value set_flow(napi_env env, napi_callback_info info) { return change_row(env, info, CHANGE_SET, false); }
static napi_value remove_flow(napi_env env, napi_callback_info info) {
  return change_row(env, info, CHANGE_REMOVE, false);
}

/* The key is struct ot_flow_far. */
static napi_value set_far_flow(napi_env env, napi_callback_info info) {
  return change_row(env, info, CHANGE_SET, true);
}
static napi_value remove_far_flow(napi_env env, napi_callback_info info) {
  return change_row(env, info, CHANGE_REMOVE, true);
}

/*
 * Arguments (table, slot, sending socket, words: address, UDP port, VNI, TOS, and OT_FLOW_PORTS source ports). Writes
 * the outer headers of the slot, for the row that is set next; -1 as the slot: only asks. Returns the index of the
 * device that they leave by; 0: not done.
 */
static napi_value flow_outer(napi_env env, napi_callback_info info) {
  napi_value values[4];
  int64_t slot, sender;
  uint8_t *bytes;
  uint32_t words[7 + OT_FLOW_PORTS];
  struct ot_flow_outer outer;
  struct table *table = read_table(env, info, 4, values);
  if (!table || !ot_to_int(env, values[1], "slot", -1, table->slots - 1, &slot) ||
      !ot_to_int(env, values[2], "sender", 0, INT32_MAX, &sender) ||
      !read_words(env, values[3], sizeof words / 4, &bytes))
    return NULL;
  memcpy(words, bytes, sizeof words);
  uint32_t device = ot_flow_outer((int)sender, words, (uint16_t)words[4], words[5], slot < 0, &outer);
  outer.tos = words[6];
  if (slot >= 0) outer.serial = ++table->serial;
  for (int i = 0; i < OT_FLOW_PORTS; i++) outer.ports[i] = htons((uint16_t)words[7 + i]);
  uint32_t index = (uint32_t)slot;
  if (device && slot >= 0 && ot_flow_set(table->maps.outers, &index, &outer)) device = 0;
  return ot_int(env, device);
}

static bool is_under(const struct table *table, uint32_t device) {
  for (int i = 0; i < UNDERLAYS; i++)
    if (table->under[i].device == device) return true;
  return false;
}

/* Arguments (table, index of a device): links the program for frames out of tunnels. Returns whether it is linked. */
static napi_value flow_under(napi_env env, napi_callback_info info) {
  napi_value values[2], result;
  int64_t device;
  struct ot_fault fault;
  struct table *table = read_table(env, info, 2, values);
  if (!table || !ot_to_int(env, values[1], "device", 1, INT32_MAX, &device)) return NULL;
  for (int i = 0; i < UNDERLAYS && !is_under(table, (uint32_t)device); i++) {
    if (table->under[i].device) continue;
    int link = ot_flow_under(&table->maps, (int)device, &fault);
    if (link < 0) break;
    table->under[i].device = (uint32_t)device;
    table->under[i].link = link;
  }
  napi_get_boolean(env, is_under(table, (uint32_t)device), &result);
  return result;
}

static napi_value flows_watched(napi_env env, napi_callback_info info) {
  napi_value result;
  (void)info;
  napi_get_boolean(env, ot_flow_watched(), &result);
  return result;
}

/* The stamp at a place, -1: that of all rows. */
static uint32_t *stamp_at(napi_env env, const struct table *table, napi_value value) {
  int64_t place;
  if (!ot_to_int(env, value, "place", -1, OT_FLOW_STAMPS - 1, &place)) return NULL;
  return place < 0 ? &table->shared->stamp : &table->shared->entries[place];
}

static napi_value flow_stamp(napi_env env, napi_callback_info info) {
  napi_value values[2];
  struct table *table = read_table(env, info, 2, values);
  uint32_t *stamp = table ? stamp_at(env, table, values[1]) : NULL;
  return stamp ? ot_int(env, (int32_t)__atomic_load_n(stamp, __ATOMIC_SEQ_CST)) : NULL;
}

static napi_value touch_flows(napi_env env, napi_callback_info info) {
  napi_value values[2];
  struct table *table = read_table(env, info, 2, values);
  uint32_t *stamp = table ? stamp_at(env, table, values[1]) : NULL;
  if (stamp) __atomic_fetch_add(stamp, 1, __ATOMIC_SEQ_CST);
  return NULL;
}

/* Arguments (table, first slot, words): COUNTS words for each slot from there on. */
static napi_value read_flows(napi_env env, napi_callback_info info) {
  napi_value values[3];
  uint8_t *bytes;
  size_t length;
  int64_t first;
  struct table *table = read_table(env, info, 3, values);
  if (!table || !ot_to_int(env, values[1], "first", 0, table->slots - 1, &first) ||
      !ot_to_bytes(env, values[2], "words", &bytes, &length))
    return NULL;
  const struct ot_flow_counts *counts = ot_flow_counts(table->shared) + first;
  size_t slots = length / (4 * COUNTS);
  if (slots > table->slots - (size_t)first) slots = table->slots - (size_t)first;
  for (size_t i = 0; i < slots; i++) {
    uint32_t *words = (uint32_t *)bytes + i * COUNTS;
    words[3] = __atomic_load_n(&counts[i].large, __ATOMIC_ACQUIRE);
    /* In this order a frame under way is noted and not yet counted, never the reverse. */
    words[2] = __atomic_load_n(&counts[i].bytes, __ATOMIC_ACQUIRE);
    words[1] = __atomic_load_n(&counts[i].frames, __ATOMIC_ACQUIRE);
    words[0] = __atomic_load_n(&counts[i].noted, __ATOMIC_ACQUIRE);
  }
  return NULL;
}

/* Argument (table). Frames that went to the decapsulator since this thread saw one that had come out of it. */
static napi_value decap_holds(napi_env env, napi_callback_info info) {
  napi_value value;
  struct table *table = read_table(env, info, 1, &value);
  if (!table) return NULL;
  uint32_t came_out = __atomic_load_n(&table->shared->came_out, __ATOMIC_ACQUIRE);
  uint32_t went_in = __atomic_load_n(&table->shared->went_in, __ATOMIC_ACQUIRE);
  if (came_out != table->came_out) table->went_in = went_in;
  table->came_out = came_out;
  return ot_int(env, (int32_t)((went_in - table->went_in) & INT32_MAX));
}

struct settling {
  napi_deferred deferred;
  napi_async_work work;
  int number;
};

static void settle(napi_env env, void *data) {
  (void)env;
  ((struct settling *)data)->number = ot_flow_settle();
}

static void settled(napi_env env, napi_status status, void *data) {
  struct settling *settling = data;
  (void)status;
  napi_resolve_deferred(env, settling->deferred, ot_int(env, settling->number));
  napi_delete_async_work(env, settling->work);
  free(settling);
}

/* A promise of an errno, 0: no program runs any more that ran at the call. */
static napi_value settle_flows(napi_env env, napi_callback_info info) {
  napi_value promise, name;
  struct settling *settling = calloc(1, sizeof *settling);
  (void)info;
  if (!settling) return ot_throw_argument(env, "out of memory");
  napi_create_promise(env, &settling->deferred, &promise);
  napi_create_string_utf8(env, "overtap settle flows", NAPI_AUTO_LENGTH, &name);
  napi_create_async_work(env, NULL, name, settle, settled, settling, &settling->work);
  napi_queue_async_work(env, settling->work);
  return promise;
}

void ot_export_flows(napi_env env, napi_value exports) {
  ot_export(env, exports, "openFlowMaps", open_maps);
  ot_export(env, exports, "openDecap", open_decap);
  ot_export(env, exports, "decapHolds", decap_holds);
  ot_export(env, exports, "linkFlows", link_flows);
  ot_export(env, exports, "filterFlows", filter_flows);
  ot_export(env, exports, "mapFlows", map_flows);
  ot_export(env, exports, "setFlow", set_flow);
  ot_export(env, exports, "removeFlow", remove_flow);
  ot_export(env, exports, "setFarFlow", set_far_flow);
  ot_export(env, exports, "removeFarFlow", remove_far_flow);
  ot_export(env, exports, "flowOuter", flow_outer);
  ot_export(env, exports, "flowUnder", flow_under);
  ot_export(env, exports, "flowsWatched", flows_watched);
  ot_export(env, exports, "flowStamp", flow_stamp);
  ot_export(env, exports, "touchFlows", touch_flows);
  ot_export(env, exports, "readFlows", read_flows);
  ot_export(env, exports, "settleFlows", settle_flows);
}
