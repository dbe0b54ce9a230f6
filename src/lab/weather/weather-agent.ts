/**
 * The weather process of a lab: between two ends of each cable with weather it takes frames from one, and gives them to the other when, and
 * if, the weather lets it. Its one argument is the plan (`protocol.ts`). Its socket takes requests; SIGTERM ends it.
 *
 * One thread: it waits for frames at most until the next one is due, and serves requests between two batches. Times are in whole
 * milliseconds of epoll(7), and polled below that.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { Cables, changed } from './cables.js';
import { MAX_LINE, type WeatherAnswer, type WeatherPlan } from './protocol.js';
import { readRequest } from './request.js';
import { CLEAR, weatherFault } from './weather.js';

/** Longest wait without a frame, so that requests and ends of streams are served. */
const IDLE_MS = 20;
const LOOK_MS = 100;
/** Connections to the socket; each is one command of the lab, and has this long. */
const MAX_CLIENTS = 16;
const CLIENT_MS = 2000;

const plan = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as WeatherPlan;
const cables = new Cables(plan.cables);
const clock = (): number => performance.now() * 1000;
let isOver = false;
let lastLook = Number.NEGATIVE_INFINITY;

function turn(): void {
  if (isOver) return;
  const now = clock();
  if (now - lastLook > LOOK_MS * 1000) {
    lastLook = now;
    cables.look();
  }
  const wait = Math.min(IDLE_MS, Math.max(0, (cables.due - now) / 1000));
  cables.receive(Math.floor(wait), clock);
  cables.send(clock());
  setImmediate(turn);
}

function answer(line: string): WeatherAnswer {
  const request = readRequest(line);
  if (request.op === 'show') return { rows: cables.rows(), unconnected: cables.unconnected };
  const { link, from, weather, clear } = request;
  const directions = cables.directions(link, from);
  if (directions.length === 0) return { error: refusal(link) };
  const next = directions.map((direction) => changed(direction.weather, weather, CLEAR, clear));
  const fault = next.map(weatherFault).find((one) => one !== undefined);
  if (fault !== undefined) return { error: fault };
  for (const [i, direction] of directions.entries()) direction.set(next[i] ?? CLEAR);
  return { rows: cables.rows(), unconnected: cables.unconnected };
}

function refusal(link: string): string {
  const found = plan.cables.find(({ names }) => names.includes(link) || names.join('-') === link);
  if (found !== undefined) return `the ends of ${link} are ${found.ends.join(' and ')}`;
  const known = plan.cables.map(({ names }) => names.join('-')).join(', ');
  return `no link ${link} has weather; those with weather: ${known}`;
}

function serve(socket: Socket): void {
  let text = '';
  socket.setEncoding('utf8');
  const end = setTimeout(() => socket.destroy(), CLIENT_MS);
  socket.on('close', () => clearTimeout(end));
  socket.on('error', () => socket.destroy());
  socket.on('data', (part: string) => {
    text += part;
    if (text.length > MAX_LINE) socket.destroy();
    const at = text.indexOf('\n');
    if (at === -1 || socket.destroyed) return;
    let said: WeatherAnswer;
    try {
      said = answer(text.slice(0, at));
    } catch (error) {
      said = { error: error instanceof Error ? error.message : String(error) };
    }
    socket.end(`${JSON.stringify(said)}\n`);
  });
}

const server = createServer(serve);
server.maxConnections = MAX_CLIENTS;
server.listen(plan.socket, turn);

function end(): void {
  isOver = true;
  server.close();
  cables.close();
  process.exit(0);
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end);
process.on('SIGHUP', () => undefined);
