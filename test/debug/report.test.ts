import { describe, expect, it } from 'vitest';
import { report } from '../../src/debug/report.ts';
import { RolesAnywhereError } from '../../src/errors.ts';
import { serviceError } from '../../src/session/service-error.ts';

function told(error: unknown): string {
  let text = '';
  report(error, { program: 'roles-anywhere', argv: [], write: (more) => (text += more) });
  return text;
}

describe('what is told of a refusal', () => {
  it('names the code, the status and the request id of the service once each', () => {
    const headers = { 'x-amzn-requestid': 'request-1', 'x-amzn-errortype': 'AccessDeniedException' };
    const text = told(serviceError('CreateSession', { status: 403, headers, body: '{"message":"no"}' }));
    for (const fact of ['AccessDeniedException', 'status 403', 'request id request-1'])
      expect(text.split(fact)).toHaveLength(2);
    expect(text).not.toContain('service:');
  });

  it('adds what the message leaves out', () => {
    const details = { status: 201, requestId: 'request-1' };
    expect(
      told(new RolesAnywhereError('ERR_CREDENTIALS_EMPTY', 'the service handed out no credentials', details)),
    ).toBe(
      [
        'roles-anywhere: error: the service handed out no credentials [ERR_CREDENTIALS_EMPTY]',
        'service: status 201, request id request-1\n',
      ].join('\n'),
    );
  });
});
