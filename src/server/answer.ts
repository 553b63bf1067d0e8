/**
 * The answers of routes: made once where that is possible, and sent as they are.
 * Tests: test/server/container-routes.test.ts, imds-routes.test.ts
 */
import type { ServerResponse } from 'node:http';

export interface Answer {
  readonly status: number;
  /** Names and values by turns, Content-Length included: the form that node:http sends without a detour. */
  readonly headers: string[];
  /** ASCII. A string goes out in one write together with the headers, which halves the cost of an answer. */
  readonly body: string;
}

/** Sends an answer. With HEAD, node:http leaves the body out. */
export function sendAnswer(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers);
  response.end(body, 'latin1');
}

/** For 30 s a client may use its connection again. The sweep of idle ones waits longer, so that no request meets the end. */
const KEEP_ALIVE = ['Keep-Alive', 'timeout=30'];

function answer(status: number, type: string, body: string, extra: readonly string[]): Answer {
  const plain = ['Content-Type', type, 'Content-Length', String(body.length), 'Cache-Control', 'no-store'];
  const alive = extra.includes('Connection') ? [] : KEEP_ALIVE;
  return { status, headers: [...plain, ...alive, ...extra], body };
}

/**
 * @param body ASCII
 * @param extra further header names and values, by turns
 */
export function textAnswer(status: number, body: string, extra: readonly string[] = []): Answer {
  return answer(status, 'text/plain', body, extra);
}

/** @param extra further header names and values, by turns */
export function jsonAnswer(status: number, value: unknown, extra: readonly string[] = []): Answer {
  // The message of an error may quote any character.
  const body = JSON.stringify(value).replaceAll(
    /[\u0080-\uffff]/g,
    (character) => String.raw`\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return answer(status, 'application/json', body, extra);
}

/**
 * An error in the two shapes that clients read: `code` and `message` (Go,
 * botocore), `Code` and `Message` (JavaScript). `Code` is never `Success`.
 */
export function errorAnswer(status: number, code: string, message: string, extra: readonly string[] = []): Answer {
  return jsonAnswer(status, { code, message, Code: code, Message: message }, extra);
}
