/**
 * The house rule: imports run one way,
 *   cli -> {lab, doctor} -> control -> {config, dataplane} -> {fdb, neigh, encap, port} -> wire,
 *   and {fdb, neigh, encap} -> threads, port -> native; text is for all that speak to people.
 * A room may import from the rooms it is allowed below, and from itself.
 */
const allowed = {
  text: [],
  wire: [],
  native: [],
  threads: [],
  fdb: ['threads', 'wire'],
  encap: ['threads', 'wire'],
  neigh: ['threads', 'wire'],
  port: ['wire', 'native', 'text'],
  config: ['wire', 'text'],
  dataplane: ['fdb', 'neigh', 'encap', 'port', 'wire'],
  control: ['config', 'dataplane', 'fdb', 'neigh', 'encap', 'port', 'wire', 'text'],
  lab: ['control', 'config', 'port', 'wire', 'text'],
  doctor: ['control', 'config', 'port', 'wire', 'text'],
  cli: ['control', 'config', 'lab', 'doctor', 'text'],
};

const rooms = Object.entries(allowed).map(([room, others]) => ({
  name: `${room}-imports`,
  severity: 'error',
  comment: `src/${room} may import only from: ${[...others, 'itself'].join(', ')}`,
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: `^src/(${[room, ...others].join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...rooms,
    {
      name: 'engine-knows-the-contract-only',
      severity: 'error',
      comment: 'Only control names concrete port kinds; the data path knows the Nic contract.',
      from: { path: '^src/dataplane/' },
      to: { path: '^src/port/', pathNot: '^src/port/nic\\.ts$' },
    },
    {
      name: 'hot-path-has-no-libraries',
      severity: 'error',
      comment: 'wire, threads, fdb, neigh, encap and dataplane are ours alone.',
      from: { path: '^src/(wire|threads|fdb|neigh|encap|dataplane)/' },
      to: { pathNot: '^src/' },
    },
    {
      name: 'doctor-is-a-client',
      severity: 'error',
      comment: 'The doctor asks a switch over its control socket, as any program would.',
      from: { path: '^src/doctor/' },
      to: { path: '^src/control/', pathNot: '^src/control/(client|api)\\.ts$' },
    },
    {
      name: 'control-socket-is-a-front',
      severity: 'error',
      comment: 'What serves the control socket knows the switch by its controls and listings only.',
      from: { path: '^src/control/http/' },
      to: { path: '^src/control/', pathNot: '^src/control/(http/|(api|controls|guard|listings)\\.ts$)' },
    },
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, path: '^src/', pathNot: '((agent|engine-worker)|\\.d)\\.ts$' },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { extensions: ['.ts', '.js'] },
  },
};
