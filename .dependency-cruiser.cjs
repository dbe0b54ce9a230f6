/**
 * The house rule: imports run one way,
 *   cli -> exercise -> {lab, control}, cli -> {lab, doctor} -> client -> api, cli -> control -> {api, config, dataplane} -> {fdb, neigh, encap, port} -> wire,
 *   config -> api -> config/options -> values -> wire,
 *   and {fdb, neigh, encap, dataplane} -> shared-memory, port -> native; text is for all that speak to people.
 * A room may import from the rooms it is allowed below, and from itself.
 */
const allowed = {
  text: [],
  wire: [],
  native: [],
  'shared-memory': [],
  fdb: ['shared-memory', 'wire'],
  encap: ['shared-memory', 'wire'],
  neigh: ['shared-memory', 'wire'],
  port: ['wire', 'native', 'text'],
  values: ['wire'],
  frames: ['values', 'wire'],
  config: ['values', 'api', 'wire', 'text'],
  dataplane: ['fdb', 'neigh', 'encap', 'port', 'shared-memory', 'wire'],
  // The BGP speaker: a thread of its own, which knows no table of the switch.
  evpn: ['port', 'values', 'wire', 'text'],
  // BFD: the sessions, and the thread that keeps them.
  liveness: ['port', 'shared-memory', 'wire'],
  control: [
    'api',
    'config',
    'evpn',
    'liveness',
    'shared-memory',
    'frames',
    'values',
    'dataplane',
    'fdb',
    'neigh',
    'encap',
    'port',
    'wire',
    'text',
  ],
  // The rows of the options are the vocabulary of both the file and the requests.
  api: ['values', 'config/options', 'wire', 'text'],
  client: ['api'],
  netlink: ['wire'],
  exec: ['api', 'client', 'netlink', 'values', 'wire', 'text'],
  replay: ['api', 'config', 'control', 'frames', 'sight', 'wire'],
  lab: ['api', 'client', 'config', 'values', 'port', 'wire', 'text'],
  exercise: ['api', 'config', 'control', 'frames', 'lab', 'values', 'port', 'wire', 'text'],
  // Of exec: where the native programs are.
  doctor: ['api', 'client', 'config', 'exec', 'values', 'port', 'wire', 'text'],
  page: ['api', 'client', 'sight', 'text', 'wire'],
  bench: ['api', 'client', 'dataplane', 'encap', 'evpn', 'fdb', 'lab', 'native', 'port', 'wire'],
  sight: ['api', 'client', 'values', 'wire', 'text'],
  cli: [
    'api',
    'client',
    'control',
    'config',
    'frames',
    'values',
    'lab',
    'exercise',
    'doctor',
    'exec',
    'sight',
    'page',
    'replay',
    'text',
    'wire',
  ],
};

/** The rooms of src/control, from the ground up, and the rooms of control that each may import from. */
const controlRooms = {
  model: [],
  log: [],
  shadow: [],
  engines: ['shadow'],
  devices: ['model'],
  events: ['model'],
  ports: ['devices', 'model'],
  plan: ['ports', 'model'],
  reconcile: ['plan', 'ports', 'devices', 'model'],
  loops: ['ports', 'model'],
  'spanning-tree': ['loops', 'ports', 'model'],
  tables: ['reconcile', 'model'],
  views: ['spanning-tree', 'reconcile', 'ports', 'model'],
  trace: ['shadow', 'views', 'model'],
  memory: [
    ...['loops', 'spanning-tree', 'shadow', 'trace', 'reconcile', 'requests', 'tables', 'views', 'events'],
    ...['devices', 'model'],
  ],
  watch: ['reconcile', 'views', 'ports', 'events', 'model'],
  observe: ['model'],
  export: ['model'],
  // Remotes, MACs and bindings that other hosts tell of.
  peers: ['reconcile', 'tables', 'events', 'model'],
  evpn: ['peers', 'reconcile', 'tables', 'events', 'model'],
  liveness: ['peers', 'reconcile', 'views', 'model'],
  requests: ['plan', 'reconcile', 'tables', 'engines', 'events', 'observe', 'model'],
  handover: ['peers', 'reconcile', 'ports', 'tables', 'devices', 'engines', 'events', 'model'],
  http: [],
  containers: ['http'],
  docker: ['containers'],
  cni: ['containers'],
  daemon: ['containers', 'docker', 'cni', 'http', 'handover', 'log', 'plan', 'ports', 'model'],
};

/** Files of src/control that stand beside its rooms: contracts and the guard, which every room may use. */
const CONTROL_GROUND = '(controls|gathered|guard|listings)\\.ts$';

const rooms = Object.entries(allowed).map(([room, others]) => ({
  name: `${room}-imports`,
  severity: 'error',
  comment: `src/${room} may import only from: ${[...others, 'itself'].join(', ')}`,
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: `^src/(${[room, ...others].join('|')})/` },
}));

const inControl = Object.entries(controlRooms).map(([room, others]) => ({
  name: `control-${room}-imports`,
  severity: 'error',
  comment: `src/control/${room} may import from control only: ${[...others, 'itself, the contracts and the guard'].join(', ')}`,
  from: { path: `^src/control/${room}/` },
  to: {
    path: '^src/control/',
    pathNot: [`^src/control/(${[room, ...others].join('|')})/`, `^src/control/${CONTROL_GROUND}`].concat(
      room === 'daemon' ? ['^src/control/switch\\.ts$'] : [],
    ),
  },
}));

/**
 * The same within src/config. Its top files are the way in: `load.ts` and `resolve.ts` use the rooms, and every room may
 * use the shapes of `types.ts`.
 */
const configRooms = {
  options: [],
  read: ['options'],
  entries: ['options'],
  rules: ['entries', 'read', 'options'],
  edit: ['rules', 'entries', 'read', 'options'],
};

const inConfig = Object.entries(configRooms).map(([room, others]) => ({
  name: `config-${room}-imports`,
  severity: 'error',
  comment: `src/config/${room} may import only from: ${[...others, 'itself'].join(', ')}, and types.ts`,
  from: { path: `^src/config/${room}/` },
  to: { path: '^src/config/', pathNot: `^src/config/((${[room, ...others].join('|')})/|types\\.ts$)` },
}));

/** The rooms of src/lab, from the ground up. Its top files (index, lifecycle, lab) put them together. */
const labRooms = {
  values: [],
  testbed: [],
  weather: ['values', 'testbed'],
  capture: ['testbed'],
  agents: ['testbed'],
  vm: ['testbed'],
  setup: ['weather', 'vm', 'testbed'],
  checks: ['values', 'setup', 'agents', 'capture', 'vm', 'testbed'],
  file: ['checks', 'weather', 'values', 'setup'],
  view: ['file', 'weather', 'setup', 'vm'],
  scenarios: ['file', 'checks', 'setup', 'agents', 'capture', 'testbed'],
};

/** Rooms that know the contract of a lab. */
const WITH_LABS = ['file', 'view', 'scenarios'];

const inLab = Object.entries(labRooms).map(([room, others]) => ({
  name: `lab-${room}-imports`,
  severity: 'error',
  comment: `src/lab/${room} may import from lab only: ${[...others, 'itself'].join(', ')}`,
  from: { path: `^src/lab/${room}/` },
  to: {
    path: '^src/lab/',
    pathNot: [`^src/lab/(${[room, ...others].join('|')})/`].concat(
      WITH_LABS.includes(room) ? ['^src/lab/lab\\.ts$'] : [],
    ),
  },
}));

/** The rooms of src/page: the model is pure and shared by server and browser, which never meet otherwise. */
const pageRooms = { model: [], server: ['model', 'api', 'client', 'sight', 'text', 'wire'], browser: ['model'] };

const inPage = Object.entries(pageRooms).map(([room, others]) => ({
  name: `page-${room}-imports`,
  severity: 'error',
  comment: `src/page/${room} may import only from: ${[...others, 'itself'].join(', ')}`,
  from: { path: `^src/page/${room}/` },
  to: {
    pathNot: [
      `^src/page/(${[room, ...others].join('|')})/`,
      ...others.filter((other) => !(other in pageRooms)).map((other) => `^src/${other}/`),
      ...(room === 'server' ? ['^[^/.]+$', '^node:'] : []),
    ],
  },
}));

module.exports = {
  forbidden: [
    ...rooms,
    ...inControl,
    ...inConfig,
    ...inLab,
    ...inPage,
    {
      name: 'engine-knows-the-contract-only',
      severity: 'error',
      comment:
        'Only control names concrete port kinds; the data path knows the contracts of PacketIo and of the table of flows.',
      from: { path: '^src/dataplane/' },
      to: { path: '^src/port/', pathNot: '^src/port/(packet-io|flow-table)\\.ts$' },
    },
    {
      name: 'hot-path-has-no-libraries',
      severity: 'error',
      comment: 'wire, shared-memory, fdb, neigh, encap and dataplane are ours alone.',
      from: { path: '^src/(wire|shared-memory|fdb|neigh|encap|dataplane)/' },
      to: { pathNot: '^src/' },
    },
    {
      name: 'cli-starts-the-daemon-only',
      severity: 'error',
      comment: 'The CLI starts the daemon; everything else it asks of a switch over the control socket.',
      from: { path: '^src/cli/' },
      to: { path: '^src/control/', pathNot: '^src/control/(daemon/|devices/host-facts\\.ts$)' },
    },
    {
      name: 'control-socket-is-a-front',
      severity: 'error',
      comment: 'What serves the control socket knows the switch by its controls and listings only.',
      from: { path: '^src/control/http/' },
      to: { path: '^src/control/', pathNot: '^src/control/(http/|(controls|gathered|guard|listings)\\.ts$)' },
    },
    {
      name: 'bench-uses-the-testbed-only',
      severity: 'error',
      comment: 'The benchmarks build their own sites on the test bed; of the labs they use nothing else.',
      from: { path: '^src/bench/' },
      to: { path: '^src/lab/', pathNot: '^src/lab/testbed/' },
    },
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: {
        orphan: true,
        path: '^src/',
        pathNot: '((agent|contract|speaker-worker|engine-worker|stage-runner|learning-tester)|\\.d)\\.ts$',
      },
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
