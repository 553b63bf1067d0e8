/** The emulator's STS: the query protocol (version 2011-06-15) and GetCallerIdentity. */
import type { Answer, Granted } from './answer.ts';
import { type ReceivedRequest, parseQuery, utf8 } from './received.ts';
import { Refusal, type RefusalDetails } from './refusal.ts';
import { type Session, type SessionStore, assumedRoleArn, assumedRoleId } from './sessions.ts';
import { authenticate } from './sts-signature.ts';

const VERSION = '2011-06-15';
const NAMESPACE = `https://sts.amazonaws.com/doc/${VERSION}/`;

export interface StsContext {
  readonly sessions: SessionStore;
  readonly now: () => Date;
  readonly requestId: string;
}

/** @throws Refusal */
export function sts(request: ReceivedRequest, { sessions, now, requestId }: StsContext): Granted {
  const parameters = readParameters(request);
  const action = parameters.get('Action');
  if (action === undefined) throw badRequest('MissingAction', 'The request is missing an action.');
  const caller = authenticate(request, sessions, now());
  if (action !== 'GetCallerIdentity' || parameters.get('Version') !== VERSION)
    throw badRequest(
      'InvalidAction',
      `Could not find operation ${action} for version ${parameters.get('Version') ?? 'NO_VERSION_SPECIFIED'}`,
    );
  return { answer: callerIdentity(caller, requestId), reason: `GetCallerIdentity is ${assumedRoleArn(caller)}` };
}

/** Parameters of the query and, for POST, of the form in the body. */
function readParameters({ method, query, body }: ReceivedRequest): Map<string, string> {
  const parts = [query, ...(method === 'POST' ? [body.toString('latin1')] : [])];
  return new Map(
    parts.flatMap((part) => parseQuery(part, malformed)).map(([name, value]) => [utf8(name), utf8(value)]),
  );
}

function malformed(reason: string): Refusal {
  return badRequest('MalformedQueryString', reason);
}

function callerIdentity(session: Session, requestId: string): Answer {
  const result =
    `<Arn>${escapeXml(assumedRoleArn(session))}</Arn>` +
    `<UserId>${escapeXml(assumedRoleId(session))}</UserId>` +
    `<Account>${escapeXml(session.role.account)}</Account>`;
  const body =
    `<GetCallerIdentityResponse xmlns="${NAMESPACE}"><GetCallerIdentityResult>${result}</GetCallerIdentityResult>` +
    `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></GetCallerIdentityResponse>\n`;
  return { status: 200, contentType: 'text/xml', body };
}

/** A refusal in the query protocol's form. */
export function stsError({ status, code, message }: RefusalDetails, requestId: string): Answer {
  const body =
    `<ErrorResponse xmlns="${NAMESPACE}"><Error><Type>${status < 500 ? 'Sender' : 'Receiver'}</Type>` +
    `<Code>${escapeXml(code)}</Code><Message>${escapeXml(message)}</Message></Error>` +
    `<RequestId>${requestId}</RequestId></ErrorResponse>\n`;
  return { status, contentType: 'text/xml', body };
}

function badRequest(code: string, message: string): Refusal {
  return new Refusal(400, code, message, message);
}

/** Text as XML content. Characters that XML 1.0 (section 2.2) has no way to hold become U+FFFD. */
function escapeXml(text: string): string {
  return (
    text
      // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
  );
}
