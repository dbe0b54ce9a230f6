export function flood(ports, frame) {
  const ingress = ports.find(({ name }) => name === frame.port);
  return ports.flatMap(({ name, up, isolated, vlans, tunnel }) => {
    const member = vlans.find(({ vid }) => vid === frame.vlan);
    if (name === frame.port || !up || member === undefined || (isolated && ingress.isolated)) return [];
    if (tunnel === null) return [member.untagged ? { port: name } : { port: name, tag: frame.vlan }];
    const vni = tunnel.vnis[frame.vlan];
    return tunnel.remotes.map((remote) => ({ port: name, remote, vni }));
  });
}
