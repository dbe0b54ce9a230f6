/**
 * Entry point of an engine thread: creates a native PacketIo and runs engine turns until it is stopped. Nothing else runs here, so
 * logging, requests and their garbage collection never delay a frame.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { ORIGINATED_ROOM } from '../../dataplane/egress/originate.js';
import { Engine, TICK_MS } from '../../dataplane/engine.js';
import { applyOperations } from '../../dataplane/operations/operations.js';
import { Context } from '../../dataplane/state/context.js';
import { Counters, MAX_VNIS } from '../../dataplane/state/counters.js';
import { PuntRing } from '../../dataplane/state/punt-ring.js';
import { StormControl } from '../../dataplane/state/storm.js';
import { RemoteTable } from '../../encap/remotes.js';
import { Fdb } from '../../fdb/table.js';
import { Neighbours } from '../../neigh/table.js';
import { createNativePacketIo } from '../../port/native-packet-io.js';
import { VXLAN_HEADER } from '../../wire/vxlan.js';
import type { EngineData, FromEngine, ToEngine } from './engine-protocol.js';

function main(): void {
  if (parentPort === null) throw new Error('engine-worker is started by the switch, not by hand');
  const port = parentPort;
  const data = workerData as EngineData;
  const io = createNativePacketIo({
    headerBytes: MAX_VNIS * VXLAN_HEADER + ORIGINATED_ROOM,
    udpSegment: data.offloads.udp_segment,
    merge: data.offloads.tso,
    tunnelGso: data.offloads.tunnel_gso !== false,
    tunnelGuard: data.offloads.tunnel_gso === 'auto',
    spinMicroseconds: data.busyPoll,
  });
  io.attachEvent(data.eventFd);
  const context = new Context(
    io,
    Fdb.attach(data.fdb),
    new RemoteTable(data.remotes),
    new Counters(data.counters),
    data.engine,
    new StormControl(data.storm),
    new PuntRing(data.punts),
    Neighbours.attach(data.neigh),
  );
  const tell = (message: FromEngine): void => port.postMessage(message);

  let running = true;
  const obey = (message: ToEngine): void => {
    if (message.type === 'stop') {
      running = false;
      return;
    }
    try {
      applyOperations(context, message.operations);
      tell({ type: 'applied', id: message.id });
    } catch (error) {
      tell({ type: 'applied', id: message.id, error: error instanceof Error ? error.message : String(error) });
    }
  };
  const engine = new Engine(context, {
    rung() {
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
        obey(next.message as ToEngine);
      }
    },
    portLost: (lost, errno) => tell({ type: 'port-lost', port: lost, errno }),
    offloadLost: (offload) => tell({ type: 'offload-lost', offload }),
    punted: () => tell({ type: 'punted' }),
    tooBig: (remote) => tell({ type: 'too-big', remote }),
  });

  while (running) engine.turn(TICK_MS);
  io.close();
  tell({ type: 'stopped' });
  port.close();
}

main();
