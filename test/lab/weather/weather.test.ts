/** The words of a weather: values with bounds, and text that reads back to the same. */
import { expect, it } from 'vitest';
import { changed } from '../../../src/lab/weather/cables.js';
import { readRequest } from '../../../src/lab/weather/request.js';
import { CLEAR, weatherFault, weatherOptions, weatherText } from '../../../src/lab/weather/weather.js';
import { parseWeather, weatherLines } from '../../../src/lab/weather/words.js';

it.each([
  ['delay', '20ms', 20_000],
  ['delay', '1.5s', 1_500_000],
  ['jitter', '150us', 150],
  ['loss', '1%', 0.01],
  ['loss', '0.05%', 0.0005],
  ['corrupt', '100%', 1],
  ['rate', '10mbit', 10e6],
  ['rate', '1.5gbit', 1.5e9],
] as const)('%s %s', (key, text, value) => {
  expect(weatherOptions[key].value.parse(text)).toBeCloseTo(value, 12);
});

it.each([
  ['delay', '20'],
  ['delay', '11s'],
  ['delay', '-1ms'],
  ['delay', '1e3ms'],
  ['delay', '99999999999999ms'],
  ['loss', '101%'],
  ['loss', '1'],
  ['loss', 'NaN%'],
  ['rate', '1bit'],
  ['rate', '200gbit'],
  ['rate', '10m'],
] as const)('refuses %s %s', (key, text) => {
  expect(weatherOptions[key].value.safeParse(text).success).toBe(false);
});

it('prints what it was told', () => {
  const words = 'delay 20ms jitter 1500us loss 1% reorder 0.5% duplicate 2% corrupt 0.05% rate 1500kbit limit 7';
  const request = parseWeather(['a', ...words.split(' ')]);
  if (request.op !== 'set') throw new Error('it is a change');
  expect(weatherText({ ...CLEAR, ...request.weather })).toBe(
    words.replace('1500us', '1500us').replace('1500kbit', '1.5mbit'),
  );
  expect(weatherText(CLEAR)).toBe('clear');
  expect(weatherFault({ ...CLEAR, reorder: 0.1 })).toContain('needs a delay');
});

it('changes what is said, and with "clear" everything else too', () => {
  const before = { ...CLEAR, delay: 5, loss: 0.5, seed: 9 };
  expect(changed(before, { loss: 0.1 }, CLEAR, false)).toEqual({ ...before, loss: 0.1 });
  expect(changed(before, { loss: 0.1 }, CLEAR, true)).toEqual({ ...CLEAR, loss: 0.1 });
  expect(parseWeather([])).toEqual({ op: 'show' });
  expect(parseWeather(['a', 'clear', 'from', 'h1'])).toEqual({
    op: 'set',
    link: 'a',
    from: 'h1',
    weather: {},
    clear: true,
  });
});

it.each([
  [['a'], 'say what'],
  [['a', 'from', 'h1'], 'say what'],
  [['a', 'lag', '1ms'], 'does not know "lag"'],
  [['a', 'delay'], '"delay" needs a value'],
  [['a', 'delay', '1'], 'delay: expected a time'],
  [['a', 'limit', 'many'], 'limit: expected'],
])('refuses the words %j', (words, message) => {
  expect(() => parseWeather(words)).toThrow(message);
});

it('shows the counts that are not zero', () => {
  const counts = {
    received: 10,
    lost: 2,
    queue_full: 0,
    duplicated: 1,
    corrupted: 0,
    reordered: 0,
    sent: 8,
    waiting: 1,
    undelivered: 0,
  };
  expect(
    weatherLines([{ link: 'a', from: 'a', to: 'h1', weather: { ...CLEAR, loss: 0.2, delay: 1 }, counts }]),
  ).toEqual(['a  a -> h1: delay 1us loss 20% seed 1; received 10, sent 8, lost 2, duplicated 1, waiting 1']);
});

it('a request that the command line makes is read as it was', () => {
  const words =
    'a delay 10s jitter 150us loss 1% reorder 0.5% duplicate 2% corrupt 100% rate 100gbit limit 20000 seed 0';
  for (const request of [parseWeather(words.split(' ')), parseWeather(['a', 'clear'])])
    expect(readRequest(JSON.stringify(request))).toEqual(request);
  expect(readRequest('{"op":"show"}')).toEqual({ op: 'show' });
});

it.each([
  ['{', 'no JSON'],
  ['null', 'expected object'],
  ['[]', 'expected object'],
  ['{"op":"end"}', 'op: '],
  ['{"op":"set"}', 'link: '],
  ['{"op":"set","link":"a","clear":true,"weather":null}', 'weather: '],
  ['{"op":"set","link":"a","clear":1,"weather":{}}', 'clear: '],
  ['{"op":"set","link":"a","clear":true,"weather":{"delay":1e300}}', 'weather.delay: '],
  ['{"op":"set","link":"a","clear":true,"weather":{"loss":"x"}}', 'weather.loss: '],
  ['{"op":"set","link":"a","clear":true,"weather":{"limit":1000000000}}', 'weather.limit: '],
  ['{"op":"set","link":"a","clear":true,"weather":{"__proto__x":1}}', 'weather: '],
])('the request %s is refused', (line, message) => {
  expect(() => readRequest(line)).toThrow(message);
});
