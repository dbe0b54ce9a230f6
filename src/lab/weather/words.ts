/** `overtap lab weather` as words: `LINK delay 20ms loss 1% from h1`, and the listing. */
import { LabError } from '../testbed/errors.js';
import type { DirectionRow, WeatherRequest } from './protocol.js';
import { type Weather, weatherOptions, weatherText } from './weather.js';

const KEYS = Object.keys(weatherOptions);

/**
 * Reads the words behind `lab weather`. None: all links are shown. `clear` puts everything back, before what is said beside it.
 * @throws LabError LAB_UNKNOWN with what is wrong
 */
export function parseWeather(words: readonly string[]): WeatherRequest {
  const [link, ...rest] = words;
  if (link === undefined) return { op: 'show' };
  const weather: Record<string, number> = {};
  let from: string | undefined;
  let clear = false;
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i] as string;
    if (word === 'clear') {
      clear = true;
      continue;
    }
    const value = rest[++i];
    if (word === 'from') from = wanted(word, value);
    else weather[word] = settingOf(word, wanted(word, value));
  }
  if (!clear && Object.keys(weather).length === 0)
    throw new LabError('LAB_UNKNOWN', `say what the weather of ${link} becomes: clear, ${KEYS.join(', ')}`);
  return { op: 'set', link, from, weather: weather as Partial<Weather>, clear };
}

function wanted(word: string, value: string | undefined): string {
  if (!KEYS.includes(word) && word !== 'from')
    throw new LabError('LAB_UNKNOWN', `weather does not know "${word}"; it knows clear, from, ${KEYS.join(', ')}`);
  if (value === undefined) throw new LabError('LAB_UNKNOWN', `"${word}" needs a value`);
  return value;
}

function settingOf(word: string, value: string): number {
  const row = weatherOptions[word as keyof typeof weatherOptions];
  const isNumber = word === 'limit' || word === 'seed';
  const result = row.value.safeParse(isNumber ? Number(value) : value);
  if (!result.success) throw new LabError('LAB_UNKNOWN', `${word}: ${result.error.issues[0]?.message}`);
  return result.data;
}

/** A line for each direction: its weather, then its counts. */
export function weatherLines(rows: readonly DirectionRow[]): string[] {
  return rows.map(({ link, from, to, weather, counts }) => {
    const { received, sent, ...rest } = counts;
    const others = Object.entries(rest).filter(([, count]) => count > 0);
    const said = others.map(([name, count]) => `, ${name} ${count}`).join('');
    return `${link}  ${from} -> ${to}: ${weatherText(weather)} seed ${weather.seed}; received ${received}, sent ${sent}${said}`;
  });
}
