const AGEING = 100;

export function decide(fdb, { port, source, destination, vlan, now }) {
  if (destination.startsWith('01:80:c2:00:00:0')) return 'drop';
  fdb.set(`${source} ${vlan}`, { port, seen: now });
  const isGroup = (Number.parseInt(destination.slice(0, 2), 16) & 1) === 1;
  const known = isGroup ? undefined : fdb.get(`${destination} ${vlan}`);
  if (known === undefined || now - known.seen > AGEING) return 'flood';
  return known.port === port ? 'drop' : known.port;
}
