/** The router: it finds the service of a request, and words a refusal in that service's protocol. */
// Tests: test/emulator/emulator.test.ts
import type { Answer, Granted, Verdict } from '../wire/answer.ts';
import type { EmulatorContext, RequestContext } from './context.ts';
import { control } from './control/control.ts';
import { createSession } from './create-session/create-session.ts';
import { federation, federationError } from './federation.ts';
import { iam, iamError } from './iam.ts';
import { type ReceivedRequest, headerValues } from '../wire/received.ts';
import { Refusal, type RefusalDetails } from '../wire/refusal.ts';
import { s3, s3Error } from './s3.ts';
import { sts } from './sts/sts.ts';
import { stsError } from './sts/xml.ts';

/** One service: what it does with a request, and how it words a refusal. */
interface Service {
  handle(request: ReceivedRequest, context: RequestContext): Granted | Promise<Granted>;
  refuse(details: RefusalDetails, requestId: string): Answer;
}

const STS: Service = { handle: sts, refuse: stsError };
const IAM: Service = { handle: iam, refuse: iamError };
const S3: Service = { handle: s3, refuse: s3Error };
const FEDERATION: Service = { handle: federation, refuse: federationError };
const ROLES_ANYWHERE: Service = { handle: rolesAnywhere, refuse: restError };

/**
 * All services share one address; several would be asked for `/`. A signed
 * request says which one it is for, in a header or in its query.
 */
function serviceOf(request: ReceivedRequest): Service {
  const { method, path } = request;
  if (path === '/federation') return FEDERATION;
  if (method !== 'POST' && isScopedTo(request, 's3')) return S3;
  if (method === 'POST' && path === '/' && isScopedTo(request, 'iam')) return IAM;
  return path === '/' && (method === 'POST' || method === 'GET') ? STS : ROLES_ANYWHERE;
}

function isScopedTo(request: ReceivedRequest, service: string): boolean {
  const scope = `/${service}/aws4_request`;
  return (
    headerValues(request, 'authorization').some((value) => value.includes(scope)) ||
    /[?&]X-Amz-Credential=([^&]*)/.exec(`?${request.query}`)?.[1]?.replaceAll(/%2f/gi, '/').endsWith(scope) === true
  );
}

/**
 * Handles one request. It answers whatever comes, a defect of the emulator's own included.
 *
 * @param kept resolves when every change of the state so far will outlive the emulator
 * @param problem why the request cannot be handled, found when it was read
 */
export async function route(
  request: ReceivedRequest,
  requestId: string,
  { kept, ...context }: EmulatorContext & { kept: () => Promise<void> },
  problem?: Refusal,
): Promise<{ answer: Answer; verdict: Verdict }> {
  const { method, path } = request;
  const about = { time: context.now(), requestId, method, path };
  const service = serviceOf(request);
  try {
    if (problem !== undefined) throw problem;
    const { answer, reason } = await handled(service, request, { ...context, requestId, request }, kept);
    return { answer, verdict: { ...about, accepted: true, status: answer.status, reason } };
  } catch (error) {
    const details = error instanceof Refusal ? error.details : failure(error);
    const { message: _, ...told } = details;
    return {
      answer: service.refuse(details, requestId),
      verdict: { ...about, accepted: false, ...told },
    };
  }
}

/** Changes are kept before a request is answered, and before one is refused too. */
async function handled(
  service: Service,
  request: ReceivedRequest,
  context: RequestContext,
  kept: () => Promise<void>,
): Promise<Granted> {
  try {
    return await service.handle(request, context);
  } finally {
    await kept();
  }
}

function rolesAnywhere(request: ReceivedRequest, context: RequestContext): Granted | Promise<Granted> {
  const { method, path } = request;
  if (method === 'POST' && path === '/sessions') return createSession(request, context);
  return control(request, context);
}

/** A refusal in the form of the rest-json protocol. */
function restError({ status, code, message }: RefusalDetails): Answer {
  return {
    status,
    contentType: 'application/json',
    headers: { 'X-Amzn-ErrorType': code },
    body: JSON.stringify({ message }),
  };
}

function failure(error: unknown): RefusalDetails {
  const reason = `a defect of the emulator: ${error instanceof Error ? error.message : String(error)}`;
  return { status: 500, code: 'InternalFailure', message: 'The request processing has failed', reason };
}
