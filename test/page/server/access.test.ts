import { describe, expect, it, test } from 'vitest';
import { type Asked, denialOf, newToken } from '../../../src/page/server/access.js';

const TOKEN = 'correct-horse';
const asked = (change: Partial<Asked>): Asked => ({
  method: 'GET',
  host: '127.0.0.1:8080',
  origin: undefined,
  site: undefined,
  token: TOKEN,
  ...change,
});
const statusOf = (change: Partial<Asked>): number | undefined => denialOf(asked(change), TOKEN)?.status;

describe('the token', () => {
  it('opens the page', () => expect(denialOf(asked({}), TOKEN)).toBeNull());

  test.each([null, '', 'correct-hors', 'correct-horsf', 'correct-horse-', 'CORRECT-HORSE', '\u{1F40E}'])(
    'is not %j',
    (token) => expect(statusOf({ token })).toBe(401),
  );

  it('cannot be guessed, and needs no escape in a URL', () => {
    const tokens = new Set(Array.from({ length: 100 }, newToken));
    expect(tokens.size).toBe(100);
    for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_-]{32}$/);
  });
});

describe('the host', () => {
  test.each(['127.0.0.1', '127.0.0.1:1', 'localhost:8080', '[::1]:65535'])('may be %s', (host) =>
    expect(statusOf({ host })).toBeUndefined(),
  );

  test.each([
    undefined,
    '',
    'rebound.example:8080',
    '127.0.0.1.example',
    'localhost.example:8080',
    '127.0.0.1:8080@example',
    '0.0.0.0:8080',
    '127.0.0.2:8080',
    '127.0.0.1:',
    '127.0.0.1:123456',
    'LOCALHOST\n',
  ])('may not be %j, whatever the token', (host) => expect(statusOf({ host })).toBe(421));
});

describe('the origin', () => {
  const post = (change: Partial<Asked>): number | undefined =>
    statusOf({ method: 'POST', origin: 'http://127.0.0.1:8080', ...change });

  it('of the page itself may ask', () => {
    expect(post({})).toBeUndefined();
    expect(post({ site: 'same-origin' })).toBeUndefined();
  });

  test.each([
    undefined,
    'null',
    'http://127.0.0.1:8081',
    'http://127.0.0.1',
    'https://127.0.0.1:8080',
    'http://localhost:8080',
    'http://evil.example',
  ])('%j may not', (origin) => expect(post({ origin })).toBe(403));

  test.each(['same-site', 'cross-site', 'none'])('with Sec-Fetch-Site %s may not', (site) =>
    expect(post({ site })).toBe(403),
  );

  it('of another page may not even read', () => expect(statusOf({ origin: 'http://evil.example' })).toBe(403));
});
