/** The query protocol, which STS and IAM speak: a form in, XML out. */
// Tests: test/emulator/services/sts/sts.test.ts, test/emulator/services/iam.test.ts
import type { Answer } from './answer.ts';
import { type ReceivedRequest, parseQuery, utf8 } from './received.ts';
import { Refusal, type RefusalDetails } from './refusal.ts';
import { escapeXml } from './xml.ts';

/** Elements in their order: text, further elements, or undefined for one that is left out. */
export interface Elements {
  readonly [name: string]: string | number | Elements | undefined;
}

/** Parameters of the query and, for POST, of the form in the body. */
export function queryParameters({ method, query, body }: ReceivedRequest): (readonly [string, string])[] {
  const parts = [query, ...(method === 'POST' ? [body.toString('latin1')] : [])];
  return parts.flatMap((part) => parseQuery(part, malformed)).map(([name, value]) => [utf8(name), utf8(value)]);
}

function malformed(reason: string): Refusal {
  return new Refusal(400, 'MalformedQueryString', reason, reason);
}

/** The answer of an operation with the elements of its result. */
export function queryAnswer(namespace: string, operation: string, result: Elements, requestId: string): Answer {
  const body =
    `<${operation}Response xmlns="${namespace}"><${operation}Result>${render(result)}</${operation}Result>` +
    `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${operation}Response>\n`;
  return { status: 200, contentType: 'text/xml', body };
}

function render(elements: Elements): string {
  return Object.entries(elements)
    .map(([name, value]) => {
      if (value === undefined) return '';
      return `<${name}>${typeof value === 'object' ? render(value) : escapeXml(String(value))}</${name}>`;
    })
    .join('');
}

/** A refusal in the protocol's form. */
export function queryError(namespace: string, { status, code, message }: RefusalDetails, requestId: string): Answer {
  const body =
    `<ErrorResponse xmlns="${namespace}"><Error><Type>${status < 500 ? 'Sender' : 'Receiver'}</Type>` +
    `<Code>${escapeXml(code)}</Code><Message>${escapeXml(message)}</Message></Error>` +
    `<RequestId>${requestId}</RequestId></ErrorResponse>\n`;
  return { status, contentType: 'text/xml', body };
}
