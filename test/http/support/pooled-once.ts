// Makes one exchange with the pooled transport and does not close it: the process must end by itself.
import { createPooledTransport } from '../../../src/http/pooled.ts';

const { request } = createPooledTransport();
const { body } = await request({
  method: 'GET',
  url: new URL(String(process.argv[2])),
  headers: {},
  timeoutMs: 60_000,
  maxResponseBytes: 100,
});
console.log(body);
