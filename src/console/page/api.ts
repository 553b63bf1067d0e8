// Tests: test/console/console.heavy.test.ts
/** What the page asks the server. The token of the session is in memory alone, and so is everything that is answered. */
import type { ErrorAnswer, IssueRequest, Issued, Overview, SessionAnswer, StreamMessage } from '../api.ts';

/** A failure with words for a person. */
export class ApiError extends Error {
  readonly answer: ErrorAnswer;
  readonly status: number;

  constructor(status: number, answer: ErrorAnswer) {
    super(answer.message);
    this.status = status;
    this.answer = answer;
  }
}

const UNREACHABLE: ErrorAnswer = {
  code: 'Unreachable',
  message: 'the server does not answer',
  hint: 'look whether serve still runs; when it was started anew, open the link that it has printed',
};

let csrf = '';

/** Asks, and gives the answer once its status is good. */
async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (csrf !== '') headers.set('X-CSRF-Token', csrf);
  let response: Response;
  try {
    response = await fetch(`/console/api/${path}`, { ...init, headers, cache: 'no-store', credentials: 'same-origin' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, UNREACHABLE);
  }
  if (response.ok) return response;
  throw new ApiError(response.status, await errorOf(response));
}

/** The server is the one that this page came from, of the same build: what it answers has the form that both know. */
async function jsonOf<T>(response: Response): Promise<T> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  return (await response.json()) as T;
}

async function errorOf(response: Response): Promise<ErrorAnswer> {
  try {
    return await jsonOf<ErrorAnswer>(response);
  } catch {
    return { code: `HTTP ${response.status}`, message: 'the server gave an answer that is not its own' };
  }
}

async function post<T>(path: string, body: unknown): Promise<T> {
  const response = await ask(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return await jsonOf<T>(response);
}

async function remember(answer: Promise<SessionAnswer>): Promise<SessionAnswer> {
  const session = await answer;
  ({ csrf } = session);
  return session;
}

export const api = {
  unlock: (secret: { readonly code: string } | { readonly passphrase: string }) =>
    remember(post<SessionAnswer>('unlock', secret)),
  session: () => remember(ask('session').then((response) => jsonOf<SessionAnswer>(response))),
  async lock(): Promise<void> {
    await post('lock', {});
    csrf = '';
  },
  overview: async () => await jsonOf<Overview>(await ask('overview')),
  credentials: (request: IssueRequest) => post<Issued>('credentials', request),
  signIn: (id: string) => post<{ readonly url: string }>('sign-in', { id }),
  export: async (format: 'csv' | 'jsonl') => await (await ask(`activity.${format}`)).blob(),
};

/**
 * Follows the server's events until the signal fires or the stream ends. Not an EventSource, which can send no token.
 *
 * @throws ApiError
 */
export async function follow(on: (message: StreamMessage) => void, signal: AbortSignal): Promise<void> {
  const response = await ask('events', { signal });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) return;
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true as const, value: undefined }));
    if (done) return;
    const parts = (rest + value).split('\n\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      if (!part.startsWith('data: ')) continue;
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of the server's own, as above
      on(JSON.parse(part.slice(6)) as StreamMessage);
    }
  }
}
