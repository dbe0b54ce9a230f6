/**
 * Multicast with the sockets of a host, whose kernel then speaks IGMP or MLD.
 *
 *   node group.js join GROUP ADDRESS IFNAME  joins at the NIC with that address: prints {"joined": true}, then a line
 *                                             {"text"} for each datagram; SIGTERM leaves the group
 *   node group.js send GROUP ADDRESS IFNAME TEXT...   sends a datagram for each text, which multicast routers pass on
 */
import { createSocket } from 'node:dgram';

const PORT = 5007;
/** By default it is 1, and no router passes it on. */
const TTL = 8;

const print = (value: object): unknown => process.stdout.write(`${JSON.stringify(value)}\n`);
const [mode, group, address, ifname, ...texts] = process.argv.slice(2);
const is6 = group.includes(':');
const socket = createSocket({ type: is6 ? 'udp6' : 'udp4', reuseAddr: true });
const nic = is6 ? `::%${ifname}` : address;

function join(): void {
  socket.on('message', (message) => print({ text: message.toString() }));
  socket.bind(PORT, () => {
    socket.addMembership(group, nic);
    print({ joined: true });
  });
  process.once('SIGTERM', () => {
    socket.dropMembership(group, nic);
    socket.close();
  });
}

function send(): void {
  socket.bind(0, async () => {
    socket.setMulticastInterface(nic);
    socket.setMulticastTTL(TTL);
    for (const text of texts) await new Promise((resolve) => socket.send(text, PORT, group, resolve));
    socket.close();
  });
}

if (mode === 'join') join();
else send();
