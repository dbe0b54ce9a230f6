/**
 * The reference of the lab file, made from its rows and from the check words: docs/lab-file.md for people, and docs/lab-file.schema.json for
 * editors. `npm run docs` writes both; a test holds that they are up to date.
 */
import { CHECK_WORDS } from '../../src/lab/checks/words/index.js';
import { segmentOptions } from '../../src/lab/checks/words/rows.js';
import { guestOptions, hostOptions, labOptions, routeOptions } from '../../src/lab/file/options.js';
import { templateOf } from '../../src/lab/file/template.js';
import { linkWeatherOptions } from '../../src/lab/weather/weather.js';
import { type Json, objectSchema, type Section, sectionText } from './configuration.js';

const HEAD = `# The lab file

A lab of your own is one YAML file: hosts, guests, links, and what must be true. This page is made from the source (\`npm run docs\`); a
[JSON Schema](lab-file.schema.json) tells editors the same. How labs are used is in [labs.md](labs.md).

\`overtap lab new NAME\` writes this one:

\`\`\`yaml
${templateOf('mine').trim()}
\`\`\`

A file is read as a whole: each fault is shown with line and column (\`FILE:LINE:COLUMN: PATH: message\`), and the exit status is 2. The ready labs
are such files too, in the folder \`labs\` of the package: copy one, give it another \`lab\` and \`prefix\`, and change it.

**A lab file is safe to try.** It holds no commands; what it can change are namespaces of its own, and its folder below
\`/run/overtap-lab\`. Configurations of switches name no file, socket, descriptor or namespace outside the lab. Sizes are bounded: 256 KiB, 16 hosts,
64 guests, 200 checks.
`;

const SECTIONS: readonly Section[] = [
  {
    title: 'The lab',
    text: 'The keys at the top of the file. `lab` and `hosts` are required.',
    example: `
lab: mine
underlay: routed
vni: 42
hosts: { h1: , h2: , h3: }`,
    rows: labOptions,
  },
  {
    title: 'hosts',
    text: 'Each host is a namespace with an address in the underlay, where one switch runs. Without `switch` it has the short form. With `switch` a guest that has no tap port there (one whose `netns` is its name) gets one in the first bridge.',
    example: `
hosts:
  h1:
    address: 192.0.2.1
    switch:
      bridges:
        br0:
          ports:
            alice: { type: tap, netns: alice, ifname: eth0, addresses: [10.0.0.1/24] }
            vxlan0: { type: vxlan, id: 100, local: 192.0.2.1, remotes: [192.0.2.2] }
  h2:`,
    rows: hostOptions,
  },
  {
    title: 'guests',
    text: 'Each guest is a namespace at a port of its host. What is not given is that of its port.',
    example: `
guests:
  alice: { host: h1, address: 10.0.0.1/24 }
  bob: { host: h2, address: 10.0.0.2/24, address6: "fd00::2/64" }`,
    rows: guestOptions,
  },
  {
    title: 'routes',
    text: 'Set once the switches run.',
    example: `
routes:
  - { from: alice, to: default, via: 10.0.0.254 }`,
    rows: routeOptions,
  },
  {
    title: 'weather',
    text:
      'Links whose frames are delayed, lost, doubled, changed or overtaken. The process of the lab does it, so the kernel needs no netem. ' +
      'Later lines add to earlier ones. `overtap lab weather` shows it with counts, and changes it while frames flow.\n\n' +
      'A frame is lost; finds the queue full; is changed; waits for its turn at the rate; is delayed; and arrives once or twice, in this order. ' +
      'Chance is counted, not drawn: the fate of frame n depends on seed, direction and n alone, so the same frames have the same losses, and a ' +
      'seed that is set again begins again. The NICs of such a link have no offloads: each frame is one packet of the wire, and so is a loss. ' +
      'A guest whose cable has weather is at a port of `type: qemu` (a stream to the process) instead of a TAP; its MTU stays that of the bridge. ' +
      'No frame leaves early. With 1, 5 and 20 ms from one end, 300 pings took at least 1.1, 5.1 and 20.1 ms, and 0.9, 5.9 and 21.3 ms more on average ' +
      'than without (two cores; single frames are later where the process waits for a CPU). A TCP connection had 480 Mbit/s over a clear link; the ' +
      'process needs 0.4 % of a core while nothing flows.',
    example: `
weather:
  - { link: alice, delay: 20ms, jitter: 5ms, loss: 1%, seed: 7 }
  - { link: h1, from: h1, rate: 10mbit }
  - { link: bob }                    # clear, until lab weather changes it`,
    rows: linkWeatherOptions,
  },
];

const CHECKS_HEAD = `## checks

Each item is one word with its values; \`claim\` beside it is its line of the report, in place of one that is made. They run in order. A check whose
words are true prints \`ok\`, any other \`FAILED\` with what was seen. Captures of the wire begin before the first check and end before the first \`tcp\`.
`;

/** docs/lab-file.md. */
export function labFileText(): string {
  const checks = CHECK_WORDS.map(({ word, doc, example, rows }) =>
    sectionText({ title: word, text: doc, example: `\n- ${example}`, rows }).replace('## ', '### '),
  );
  const segment = sectionText({
    title: 'segments',
    text: 'Items of `segments`.',
    example: '\nsegments: [{ vni: 2, vlan: 2, guests: [alice, bob] }]',
    rows: segmentOptions,
  }).replace('## ', '### ');
  return `${[HEAD, ...SECTIONS.map(sectionText), CHECKS_HEAD, ...checks, segment].join('\n')}`;
}

/** docs/lab-file.schema.json. */
export function labSchemaText(): string {
  const mappings = (rows: Json, required: boolean): Json => ({
    type: 'object',
    additionalProperties: required ? rows : { ...rows, type: ['object', 'null'] },
  });
  const check = {
    type: 'object',
    oneOf: CHECK_WORDS.map(({ word, rows, doc }) => ({
      type: 'object',
      properties: {
        claim: { type: 'string', maxLength: 200 },
        [word]: { ...objectSchema(rows), type: ['object', 'null'], description: doc.replaceAll('`', '') },
      },
      required: [word],
      additionalProperties: false,
    })),
  };
  const inside = {
    hosts: mappings(objectSchema(hostOptions, { switch: { type: 'object' } }), false),
    guests: mappings(objectSchema(guestOptions), true),
    routes: { type: 'array', items: objectSchema(routeOptions) },
    weather: { type: 'array', items: objectSchema(linkWeatherOptions) },
    checks: { type: 'array', items: check },
  };
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'A lab of overtap',
    ...objectSchema(labOptions, inside),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}
