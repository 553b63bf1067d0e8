/** What the service answers, and how often it is asked. */
import type { Line } from '../support/compare.ts';
import type { AnswerName } from '../support/service.ts';
import { vend } from './words.ts';

const GIVES_UP: readonly AnswerName[] = ['400', '403', '404', '204', '307', 'html', 'no set'];
const TRIES_AGAIN: readonly AnswerName[] = ['500', '503', 'dropped'];

export const ANSWER_LINES: readonly Line[] = [
  ...(['200', '202'] as const).map((answer): Line => ({ name: `takes an answer of ${answer}`, args: vend(), answer })),
  ...GIVES_UP.map((answer) => ({ name: `gives up at the answer ${answer}`, args: vend(), answer })),
  { name: 'prints angle brackets', args: vend(), answer: 'angles', differs: { by: 'json-escapes', in: ['stdout'] } },
  {
    name: 'prints an expiry with an offset',
    args: vend(),
    answer: 'offset',
    differs: { by: 'expiration', in: ['stdout'] },
  },
  {
    name: 'meets an expiry that is past',
    args: vend(),
    answer: 'past',
    differs: { by: 'expiration', in: 'ours refuses' },
  },
  {
    name: 'meets an expiry that is no time',
    args: vend(),
    answer: 'soon',
    differs: { by: 'expiration', in: 'ours refuses' },
  },
  { name: 'meets an answer of 501', args: vend(), answer: '501', differs: { by: 'not-implemented', in: ['requests'] } },
  {
    name: 'tries again at the answer 429',
    args: vend(),
    answer: '429',
    // Ours goes on until its time is over: in a minute, that would be the test's too.
    env: { ROLES_ANYWHERE_TIMEOUT: '20' },
    differs: { by: 'throttling', in: ['requests'] },
  },
  {
    name: 'tries again at the answer 400 throttled, as often as it is told',
    args: vend(),
    answer: '400 throttled',
    env: { AWS_MAX_ATTEMPTS: '3' },
  },
  ...TRIES_AGAIN.map((answer) => ({ name: `tries again at the answer ${answer}`, args: vend(), answer })),
];
