/**
 * The web console in a real Chromium, against `serve` and the emulator. With ROLES_ANYWHERE_SCREENSHOTS=1 it makes the
 * pictures of docs/images.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import axe from 'axe-core';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { flagsOf, identityFlags, spawnServe, startServe } from '../clients/serve-process.ts';
import type { ServeProcess } from '../clients/serve-process.ts';
import { EXTERNAL_ID, FIRST, startChainEmulator } from '../support/chain-world.ts';
import { CLI, PKI } from '../support/cli.ts';
import { requireTool } from '../support/tools.ts';
import { worldFlags } from '../support/vending.ts';

const PHRASE = 'correct horse battery staple';
/** A profile that lets sessions last as long as AWS does. */
const LONG = {
  profiles: [
    {
      arn: 'arn:aws:rolesanywhere:us-east-1:123456789012:profile/22222222-2222-2222-2222-222222222222',
      roleArns: ['arn:aws:iam::123456789012:role/Workload'],
      durationSeconds: 43_200,
    },
  ],
};

const DIST = join(CLI, '../console');
const IMAGES = join(import.meta.dirname, '../../docs/images');
const SCREENSHOTS = process.env['ROLES_ANYWHERE_SCREENSHOTS'] === '1';
/** The pictures of the documentation. */
const PICTURES = new Set([
  'credentials-light-1280',
  'credentials-dark-360',
  'identity-light-1280',
  'activity-dark-1280',
  'health-light-1280',
]);
const VIEWS = ['credentials', 'identity', 'activity', 'health'] as const;

let work: string;
let emulator: Emulator;
let browser: Browser;

const consoleFlags = (at: Emulator): string[] => [
  '--console',
  '--console-passphrase-file',
  join(work, 'phrase'),
  ...flagsOf({ 'sts-endpoint': at.url, 'signin-endpoint': at.url, port: '0' }),
];

/** The link that a server has printed last. */
function linkOf(serve: ServeProcess): string {
  const links = [...serve.log().matchAll(/^console: (http:\/\/127\.0\.0\.1:\d+\/console#[\w-]{43})$/gm)];
  return links.at(-1)?.[1] ?? '';
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Asks as no browser would: with any header. */
function ask(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = options;
    const asked = request(url, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/** Unlocks without a browser. */
async function unlock(base: string, secret: object): Promise<{ answer: Answer; cookie: string; csrf: string }> {
  const answer = await ask(`${base}/api/unlock`, {
    method: 'POST',
    headers: { Origin: new URL(base).origin, 'Content-Type': 'application/json' },
    body: JSON.stringify(secret),
  });
  const cookie = answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  const { csrf = '' } = JSON.parse(answer.body) as { csrf?: string };
  return { answer, cookie, csrf };
}

beforeAll(async () => {
  if (!requireTool('chromium')) return;
  work = mkdtempSync(join(tmpdir(), 'ra-console-'));
  writeFileSync(join(work, 'phrase'), `${PHRASE}\n`, { mode: 0o600 });
  emulator = await startChainEmulator(LONG);
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await emulator?.close();
  if (work !== undefined) rmSync(work, { recursive: true, force: true });
});

const running: ServeProcess[] = [];
const contexts: BrowserContext[] = [];
afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close();
  for (const serve of running.splice(0)) {
    serve.kill('SIGKILL');
    await serve.exited;
  }
});

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}

async function serveWith(flags: readonly string[] = consoleFlags(emulator)): Promise<ServeProcess> {
  const serve = await startServe([...identityFlags(emulator), ...flags]);
  running.push(serve);
  return serve;
}

/** A page of a browser of its own, what went wrong in it, and whether a script ran that should not have. */
async function newPage(options: Parameters<Browser['newContext']>[0] = {}): Promise<{ page: Page; errors: string[] }> {
  const context = await browser.newContext(options);
  contexts.push(context);
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const errors: string[] = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  page.on('console', (message) => {
    if (
      message.type() === 'error' &&
      !/status of (?:401|403|4\d\d|5\d\d)|ERR_CONNECTION|ERR_INCOMPLETE/.test(message.text())
    )
      errors.push(message.text());
  });
  return { page, errors };
}

async function openPage(serve: ServeProcess, options?: Parameters<Browser['newContext']>[0]) {
  const opened = await newPage(options);
  await opened.page.goto(linkOf(serve));
  await opened.page.getByText('What do you need?').waitFor();
  return opened;
}

async function go(page: Page, view: (typeof VIEWS)[number]): Promise<void> {
  await page.evaluate(`location.hash = '#/${view}'`);
  await page.locator(`nav a[aria-current][href="#/${view}"]`).waitFor();
}

async function issue(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Get credentials' }).click();
  await page.getByRole('tab', { name: 'fish' }).first().waitFor();
}

/** The text of the form that is shown. */
const shown = (page: Page): Promise<string> => page.getByRole('tabpanel').first().innerText();

/** Evaluated through the debugger's protocol, past the page's own policy, which lets no other script in. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate<string[]>(`axe.run(document).then(({ violations }) =>
    violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 160)).join(' | ')))`);
  return found;
}

describe.runIf(requireTool('chromium'))('the page, in Chromium', () => {
  it('opens by the link, once, and takes the code out of the address', async () => {
    const serve = await serveWith();
    const link = linkOf(serve);
    const { page, errors } = await openPage(serve);
    expect(page.url()).toBe(link.replace(/#.*/, ''));
    expect(await page.evaluate('[localStorage.length, sessionStorage.length, document.cookie]')).toEqual([0, 0, '']);
    await page.reload();
    await page.getByText('What do you need?').waitFor();
    const second = await newPage();
    await second.page.goto(link);
    await second.page.getByText('This link is not good any more').waitFor();
    expect([errors, second.errors]).toEqual([[], []]);
    await page.getByRole('button', { name: 'Lock' }).click();
    await page.getByLabel('Passphrase').waitFor();
    await page.reload();
    await page.getByLabel('Passphrase').waitFor();
    serve.kill('SIGHUP');
    await expect.poll(() => linkOf(serve)).not.toBe(link);
    await page.goto(linkOf(serve));
    await page.getByText('What do you need?').waitFor();
  });

  it('tells a wrong passphrase, locks out after five, and opens by the right one', async () => {
    const serve = await serveWith();
    const { page } = await newPage();
    await page.goto(linkOf(serve).replace(/#.*/, ''));
    const field = page.getByLabel('Passphrase');
    await field.fill(PHRASE);
    await field.press('Enter');
    await page.getByText('What do you need?').waitFor();
    await page.getByRole('button', { name: 'Lock' }).click();
    for (let attempt = 4; attempt > 0; attempt--) {
      await field.fill('wrong phrase');
      await field.press('Enter');
      await page.getByText(`${attempt} more ${attempt === 1 ? 'attempt' : 'attempts'} before a wait`).waitFor();
    }
    await field.fill('wrong phrase');
    await field.press('Enter');
    await page.getByText('too many wrong attempts').waitFor();
    await page.getByRole('timer').waitFor();
    expect(await field.isDisabled()).toBe(true);
    const { answer } = await unlock(linkOf(serve).replace(/#.*/, ''), { passphrase: PHRASE });
    expect([answer.status, answer.headers['retry-after']]).toEqual([429, expect.stringMatching(/^\d+$/)]);
    expect(serve.log()).not.toContain('wrong phrase');
  });

  it('issues for 15 minutes and 12 hours, hides secrets, shows and copies them', async () => {
    const serve = await serveWith();
    const { page, errors } = await openPage(serve, { permissions: ['clipboard-read', 'clipboard-write'] });
    for (const [text, seconds] of [
      ['15 min', 900],
      ['12 h', 43_200],
    ] as const) {
      await page.getByRole('textbox', { name: 'Duration' }).fill(text);
      await issue(page);
      await page.getByRole('tab', { name: 'JSON' }).first().click();
      expect(await shown(page)).toContain('••••');
      await page.getByRole('button', { name: 'Show' }).first().click();
      const { Expiration, SecretAccessKey } = JSON.parse(await shown(page)) as Record<string, string>;
      const left = (Date.parse(Expiration ?? '') - Date.now()) / 1000;
      expect(left).toBeGreaterThan(seconds - 120);
      expect(left).toBeLessThanOrEqual(seconds + 5);
      await page
        .getByRole('button', { name: /^Copy the credentials/ })
        .first()
        .click();
      await page.getByText('Copied').waitFor();
      expect(await page.evaluate<string>('navigator.clipboard.readText()')).toContain(SecretAccessKey);
      await page.getByRole('button', { name: /^Hide/ }).click();
      expect(await shown(page)).not.toContain(SecretAccessKey);
      await page.getByRole('button', { name: 'Forget' }).click();
    }
    await page.getByRole('textbox', { name: 'Duration' }).fill('10 min');
    await page.getByText('AWS gives 15 minutes at least.').waitFor();
    expect(await page.getByRole('button', { name: 'Get credentials' }).isDisabled()).toBe(true);
    await page.getByRole('textbox', { name: 'Duration' }).fill('13 h');
    await page.getByText('AWS gives 12 hours at most.').waitFor();
    expect(errors).toEqual([]);
  });

  it('goes on to another account with an external id, says what was refused, and checks a policy as it is typed', async () => {
    const serve = await serveWith();
    const { page, errors } = await openPage(serve);
    await page.getByText('A role in another account').click();
    await page.getByRole('textbox', { name: 'Duration' }).fill('2 h');
    await page.getByText('After another role, AWS gives an hour at most.').waitFor();
    await page.getByRole('textbox', { name: 'Duration' }).fill('1 h');
    await page.getByLabel('Role ARN').fill(FIRST);
    await page.getByRole('button', { name: 'Get credentials' }).click();
    await page.getByText('What to do:').waitFor();
    await page.getByText('ERR_ACCESS_DENIED').waitFor();
    await page.getByLabel('External id').fill(EXTERNAL_ID);
    await page.getByLabel('Session name').fill('support-7');
    const policy = page.getByLabel('Session policy');
    await policy.fill('{"Statement":');
    await page.getByText(/The policy is not JSON/).waitFor();
    expect(await page.getByRole('button', { name: 'Get credentials' }).isDisabled()).toBe(true);
    await policy.fill('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}');
    await page.getByRole('button', { name: 'Add a tag' }).click();
    await page.getByLabel('Key of tag 1').fill('Team');
    await page.getByLabel('Value of tag 1').fill('blue');
    await issue(page);
    await page.getByText(/assumed-role\/First\/support-7/).waitFor();
    await page.getByRole('tab', { name: 'exec' }).click();
    expect(await shown(page)).toContain(`--external-id ${EXTERNAL_ID}`);
    expect(errors).toEqual([]);
  });

  it('opens AWS’s console by a URL that its federation endpoint accepts', async () => {
    const serve = await serveWith();
    const { page } = await openPage(serve);
    await issue(page);
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.url().endsWith('/api/sign-in')),
      page.getByRole('button', { name: 'Open AWS console' }).click(),
    ]);
    const { url } = (await answer.json()) as { url: string };
    const signedIn = await ask(url);
    expect([signedIn.status, signedIn.headers['location']]).toEqual([
      302,
      expect.stringContaining('console.aws.amazon.com'),
    ]);
    await page.getByText('The sign-in was opened in a new tab').waitFor();
  });

  it('shows live in two browsers what SDKs and pages are given', async () => {
    const serve = await serveWith();
    const one = await openPage(serve);
    serve.kill('SIGHUP');
    const used = linkOf(serve);
    await expect.poll(() => linkOf(serve)).not.toBe(used);
    const other = await openPage(serve);
    await go(other.page, 'activity');
    await issue(one.page);
    await other.page.getByRole('cell', { name: 'Issued here' }).waitFor();
    const port = new URL(used).port;
    const token = readFileSync(join(serve.runtimeDir, 'roles-anywhere', `serve-${port}.token`), 'utf8');
    const given = await ask(`http://127.0.0.1:${port}/credentials`, { headers: { Authorization: token } });
    expect(given.status).toBe(200);
    await other.page.getByRole('cell', { name: 'Given to an SDK' }).waitFor();
    await other.page.getByRole('combobox', { name: 'Event' }).selectOption('vend');
    await expect.poll(() => other.page.locator('table.events tbody tr').count()).toBe(1);
    const [download] = await Promise.all([
      other.page.waitForEvent('download'),
      other.page.getByRole('button', { name: 'Export JSON lines' }).click(),
    ]);
    const lines = readFileSync(await download.path(), 'utf8')
      .trim()
      .split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(
      expect.arrayContaining(['issue', 'vend', 'refresh', 'unlock']),
    );
  });

  it('says that the server is gone, and locks itself when it is another one', async () => {
    const serve = await serveWith();
    const { port } = new URL(linkOf(serve));
    const { page } = await openPage(serve);
    serve.kill('SIGKILL');
    await serve.exited;
    await page.getByText('The server does not answer.').waitFor();
    const again = await startServe([...identityFlags(emulator), ...consoleFlags(emulator).slice(0, -1), port]);
    running.push(again);
    await page.getByText(/serve was started anew/).waitFor();
    await page.goto(linkOf(again));
    await page.getByText('What do you need?').waitFor();
    expect(await page.getByText('The server does not answer.').count()).toBe(0);
  });

  it('tells of a service that is down with a remedy, and issues when it is back', async () => {
    const own = await startChainEmulator();
    const { port } = own;
    const serve = await startServe([
      ...identityFlags(own),
      ...consoleFlags(own),
      ...flagsOf({ 'max-attempts': '1', timeout: '5' }),
    ]);
    running.push(serve);
    const { page } = await openPage(serve);
    await own.close();
    await page.getByRole('button', { name: 'Get credentials' }).click();
    await page.getByText('ERR_CONNECT').waitFor();
    await page.getByText('What to do:').waitFor();
    const back = await startChainEmulator({ port });
    try {
      await issue(page);
      expect(await shown(page)).toContain('AWS_ACCESS_KEY_ID');
    } finally {
      await back.close();
    }
  });

  it('has no fault that axe finds, on any view, in both themes, and fits three widths', async () => {
    const serve = await serveWith();
    const { page, errors } = await openPage(serve);
    await issue(page);
    const found: string[] = [];
    if (SCREENSHOTS) mkdirSync(IMAGES, { recursive: true });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      for (const width of [360, 768, 1280]) {
        await page.setViewportSize({ width, height: 900 });
        for (const view of VIEWS) {
          await go(page, view);
          await page.waitForTimeout(100);
          const over = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
          if (over > 0) found.push(`${view} is ${over} wider than ${width}`);
          for (const one of await violations(page)) found.push(`${view} ${colorScheme} ${width}: ${one}`);
          if (SCREENSHOTS && PICTURES.has(`${view}-${colorScheme}-${width}`))
            await page.screenshot({ path: join(IMAGES, `console-${view}-${colorScheme}-${width}.png`) });
        }
      }
    }
    const locked = await newPage();
    await locked.page.goto(linkOf(serve).replace(/#.*/, ''));
    await locked.page.getByLabel('Passphrase').waitFor();
    for (const colorScheme of ['light', 'dark'] as const) {
      await locked.page.emulateMedia({ colorScheme });
      found.push(...(await violations(locked.page)));
    }
    expect(found).toEqual([]);
    expect(errors).toEqual([]);
  }, 180_000);

  it('warns of a certificate near its end, and shows what it says as text that runs nothing', async () => {
    const [key, csr, leaf] = ['evil.key', 'evil.csr', 'evil.pem'].map((name) => join(work, name)) as [
      string,
      string,
      string,
    ];
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key);
    openssl('req', '-new', '-key', key, '-subj', '/CN=near-its-end', '-out', csr);
    const extensions = join(work, 'evil.ext');
    writeFileSync(
      extensions,
      'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nsubjectAltName=email:<img src=x onerror=globalThis.ran=1>\n',
    );
    openssl(
      'x509',
      '-req',
      '-in',
      csr,
      '-CA',
      `${PKI}intermediate.pem`,
      '-CAkey',
      `${PKI}intermediate.key.pem`,
      '-days',
      '5',
      '-sha256',
      '-extfile',
      extensions,
      '-out',
      leaf,
    );
    const serve = await startServe([
      ...flagsOf({ certificate: leaf, 'private-key': key, intermediates: `${PKI}intermediate.pem` }),
      ...worldFlags(emulator),
      ...consoleFlags(emulator),
    ]);
    running.push(serve);
    const { page, errors } = await openPage(serve);
    await page.getByText(/The certificate ends in 4 d/).waitFor();
    await go(page, 'identity');
    await page.getByText('The certificate ends within 7 days').waitFor();
    await page.getByText('<img src=x onerror=globalThis.ran=1>').first().waitFor();
    await go(page, 'credentials');
    await page.getByText('A role in another account').click();
    await page.getByLabel('Role ARN').fill('<script>globalThis.ran=1</script>');
    await page.getByLabel('Session name').fill('<svg onload=globalThis.ran=1>');
    await page.getByRole('button', { name: 'Get credentials' }).click();
    await page.getByText('What to do:').waitFor();
    expect(await page.evaluate(() => 'ran' in globalThis)).toBe(false);
    // The policy stands behind that: markup in a string is no markup, and an inline script does not run.
    const refused = await page.evaluate(
      `(() => { try { document.body.innerHTML = '<b>markup</b>'; return false; } catch { return true; } })()`,
    );
    expect([refused, errors.filter((text) => !/TrustedHTML|Trusted/.test(text))]).toEqual([true, []]);
  });
});

describe.runIf(requireTool('chromium'))('the console, against those who should not get in', () => {
  it('answers nothing but the page before it is unlocked, with headers that keep a browser strict', async () => {
    const serve = await serveWith();
    const base = linkOf(serve).replace(/#.*/, '');
    const page = await ask(base);
    expect(page.status).toBe(200);
    expect(page.headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'x-frame-options': 'DENY',
    });
    const policy = String(page.headers['content-security-policy']);
    for (const part of ["default-src 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"])
      expect(policy).toContain(part);
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(page.body).not.toMatch(/<script>|<style|style=|https?:/);
    for (const path of ['session', 'overview', 'events', 'activity.csv', 'activity.jsonl'])
      expect((await ask(`${base}/api/${path}`)).status).toBe(401);
    const origin = new URL(base).origin;
    for (const path of ['credentials', 'sign-in', 'lock'])
      expect((await ask(`${base}/api/${path}`, { method: 'POST', headers: { Origin: origin } })).status).toBe(401);
  });

  it('gives a cookie that no script and no other site has, and wants the token of the session beside it', async () => {
    const serve = await serveWith();
    const base = linkOf(serve).replace(/#.*/, '');
    const { origin } = new URL(base);
    const [one, other] = [await unlock(base, { passphrase: PHRASE }), await unlock(base, { passphrase: PHRASE })];
    expect(one.answer.headers['set-cookie']?.[0]).toMatch(/; Path=\/console; HttpOnly; SameSite=Strict$/);
    const get = (headers: Record<string, string>) => ask(`${base}/api/overview`, { headers });
    expect((await get({ Cookie: one.cookie, 'X-CSRF-Token': one.csrf })).status).toBe(200);
    expect((await get({ Cookie: one.cookie })).status).toBe(403);
    expect((await get({ Cookie: one.cookie, 'X-CSRF-Token': other.csrf })).status).toBe(403);
    expect((await get({ 'X-CSRF-Token': one.csrf })).status).toBe(401);
    const lock = (headers: Record<string, string>) => ask(`${base}/api/lock`, { method: 'POST', headers });
    expect((await lock({ Cookie: one.cookie, Origin: origin })).status).toBe(403);
    expect((await lock({ Cookie: one.cookie, 'X-CSRF-Token': one.csrf, Origin: origin })).status).toBe(200);
    expect((await get({ Cookie: one.cookie, 'X-CSRF-Token': one.csrf })).status).toBe(401);
    const relogged = await unlock(base, { passphrase: PHRASE });
    expect((await get({ Cookie: relogged.cookie, 'X-CSRF-Token': one.csrf })).status).toBe(403);
  });

  it('refuses a rebound Host, other origins, proxies, frames and other methods', async () => {
    const serve = await serveWith();
    const base = linkOf(serve).replace(/#.*/, '');
    const { origin, port } = new URL(base);
    const { cookie, csrf } = await unlock(base, { passphrase: PHRASE });
    const mine = { Cookie: cookie, 'X-CSRF-Token': csrf };
    const status = async (path: string, headers: Record<string, string>, method = 'GET') =>
      (await ask(`${base}${path}`, { method, headers })).status;
    expect(await status('', { Host: `evil.example:${port}` })).toBe(403);
    expect(await status('', { Host: 'localhost' })).toBe(403);
    expect(await status('', { Host: `localhost:${port}` })).toBe(200);
    expect(await status('/api/overview', { ...mine, Host: `evil.example:${port}` })).toBe(403);
    expect(await status('/api/overview', { ...mine, Origin: 'null' })).toBe(403);
    expect(await status('/api/overview', { ...mine, Origin: `http://localhost:${port}` })).toBe(403);
    expect(await status('/api/overview', { ...mine, 'Sec-Fetch-Site': 'same-site' })).toBe(403);
    expect(await status('/api/overview', { ...mine, 'Sec-Fetch-Site': 'none' })).toBe(403);
    expect(await status('/api/overview', { ...mine, 'X-Forwarded-For': '127.0.0.1' })).toBe(403);
    expect(await status('/api/lock', mine, 'POST')).toBe(403);
    expect(await status('/api/lock', { ...mine, Origin: origin })).toBe(405);
    expect(await status('', { 'Sec-Fetch-Dest': 'iframe' })).toBe(403);
    expect(await status('/api/nothing', mine)).toBe(404);
    expect(await status('/api/overview', { ...mine, Origin: origin })).toBe(200);
  });

  it('is out of reach for a page of another origin in the same browser, and shown in no frame', async () => {
    const serve = await serveWith();
    const { page } = await openPage(serve);
    const base = linkOf(serve).replace(/#.*/, '');
    const site = createServer((_request, response) =>
      response.setHeader('Content-Type', 'text/html').end(`<iframe src="${base}"></iframe>`),
    );
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    try {
      const evil = await page.context().newPage();
      await evil.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
      const tried = await evil.evaluate(async (target) => {
        const attempt = async (path: string, init: RequestInit): Promise<string> => {
          try {
            const response = await fetch(`${target}${path}`, { credentials: 'include', ...init });
            return `${response.type} ${response.status}`;
          } catch {
            return 'refused';
          }
        };
        return await Promise.all([
          attempt('/api/session', {}),
          attempt('/api/session', { mode: 'no-cors' }),
          attempt('/app.js', { mode: 'no-cors' }),
          attempt('/api/lock', { method: 'POST', mode: 'no-cors', body: '{}' }),
          attempt('/api/credentials', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }),
        ]);
      }, base);
      expect(tried.every((outcome) => outcome === 'refused')).toBe(true);
      const framed = evil.frames().find((frame) => frame !== evil.mainFrame());
      expect((await framed?.content()) ?? '').not.toContain('id="app"');
      // The session is still there: nothing locked it.
      await page.reload();
      await page.getByText('What do you need?').waitFor();
    } finally {
      site.close();
    }
  });

  it('is not there without the flag, and not beyond the loopback without TLS and a passphrase', async () => {
    const serve = await serveWith(['--port', '0']);
    expect(serve.log()).not.toContain('console');
    const [origin = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(serve.lines()) ?? [];
    for (const path of ['/console', '/console/app.js', '/console/api/session'])
      expect((await ask(`${origin}${path}`)).status).toBe(404);
    const tokens = flagsOf({ listen: '0.0.0.0', 'token-file': join(work, 'token') });
    const tls = flagsOf({ 'tls-cert': `${PKI}tls-server.crt.pem`, 'tls-key': `${PKI}tls-server.key.pem` });
    for (const flags of [
      [...consoleFlags(emulator), ...tokens],
      ['--console', '--port', '0', ...tokens, ...tls],
    ]) {
      const refused = spawnServe([...identityFlags(emulator), ...flags]);
      expect(await refused.exited).toBe(2);
      expect(refused.log()).toMatch(/needs TLS/);
    }
  });

  it('prints its link on a line of its own beside a log of JSON, and writes what it gave to the audit log', async () => {
    const audit = join(work, 'audit.log');
    const serve = await serveWith([...consoleFlags(emulator), '--log-format', 'json', '--audit-log', audit]);
    expect(linkOf(serve)).not.toBe('');
    for (const line of serve.log().trim().split('\n')) if (!line.startsWith('console: ')) JSON.parse(line);
    const { page } = await openPage(serve);
    await issue(page);
    const [line = ''] = readFileSync(audit, 'utf8').trim().split('\n');
    expect(JSON.parse(line)).toMatchObject({
      via: 'console',
      key: expect.stringMatching(/^....$/),
      uid: process.getuid?.(),
    });
    const again = await serveWith([...consoleFlags(emulator), '--audit-log', audit]);
    const { page: later } = await openPage(again);
    await go(later, 'activity');
    await later.getByRole('cell', { name: 'Issued here' }).waitFor();
  });

  it('weighs 60 kB at most, compressed', () => {
    const sizes = ['index.html', 'app.js', 'app.css', 'icon.svg'].map(
      (name) => gzipSync(readFileSync(join(DIST, name))).length,
    );
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(60_000);
  });
});
