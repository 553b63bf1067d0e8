/** The emulator's S3: ListBuckets alone, for the tutorial's last line. Amazon S3 API Reference, "ListBuckets". */
import type { Answer, Granted } from '../wire/answer.ts';
import { authenticate } from '../callers/authenticate.ts';
import { callerKeys, commonKeys, notAuthorized, permissionProblem } from '../callers/caller.ts';
import type { RequestContext } from './context.ts';
import { type ReceivedRequest, parseQuery } from '../wire/received.ts';
import { Refusal, type RefusalDetails } from '../wire/refusal.ts';
import { escapeXml } from '../wire/xml.ts';

const ACTION = 's3:ListAllMyBuckets';

/** S3's own codes for what is wrong with credentials: its API Reference, "Error responses". */
const CODES: Readonly<Record<string, string>> = {
  InvalidClientTokenId: 'InvalidAccessKeyId',
  MissingAuthenticationToken: 'AccessDenied',
  IncompleteSignature: 'AuthorizationHeaderMalformed',
};

/** @throws Refusal */
export function s3(request: ReceivedRequest, context: RequestContext): Granted {
  const caller = authenticate(request, 's3', context);
  const { method, path, query } = request;
  const names = parseQuery(query, (reason) => new Refusal(400, 'InvalidURI', reason, reason))
    .map(([name]) => name)
    .filter((name) => !/^x-amz-/i.test(name)); // of a presigned request
  // `x-id` names the operation for people; the others divide the list into pages, and it is a short one.
  const known = new Set(['x-id', 'max-buckets', 'prefix', 'continuation-token', 'bucket-region']);
  if (method !== 'GET' || path !== '/' || names.some((name) => !known.has(name)))
    throw new Refusal(
      501,
      'NotImplemented',
      'A header you provided implies functionality that is not implemented.',
      `of S3 ListBuckets alone is emulated, not ${method} ${path}`,
    );
  const keys = callerKeys(caller, context.now()).with(commonKeys(request, context));
  const problem = permissionProblem(caller, context.state, { action: ACTION, resource: 'arn:aws:s3:::*', keys });
  if (problem !== undefined) throw notAuthorized(caller, ACTION, '*', problem);
  const buckets = context.state.list('buckets').filter(({ account }) => account === caller.account);
  const items = buckets.map(
    ({ name, createdAt }) =>
      `<Bucket><Name>${escapeXml(name)}</Name><CreationDate>${escapeXml(createdAt)}</CreationDate></Bucket>`,
  );
  const body =
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    '<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
    `<Owner><ID>${escapeXml(caller.account)}</ID></Owner><Buckets>${items.join('')}</Buckets></ListAllMyBucketsResult>`;
  return {
    answer: { status: 200, contentType: 'application/xml', body },
    reason: `ListBuckets of ${caller.arn}: ${buckets.length}`,
  };
}

/** A refusal in S3's form. */
export function s3Error({ status, code, message }: RefusalDetails, requestId: string): Answer {
  const body =
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    `<Error><Code>${escapeXml(CODES[code] ?? code)}</Code><Message>${escapeXml(message)}</Message>` +
    `<RequestId>${requestId}</RequestId></Error>`;
  return { status: code === 'ExpiredToken' ? 400 : status, contentType: 'application/xml', body };
}
